"""The command line and Dagster make the same tables, down to content digests, whatever the order and the split."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from audience_pipeline import open_store
from audience_pipeline.definitions import build_defs
from audience_pipeline.demo.landing import write_landing
from audience_pipeline.security.keyset import load_keyset
from audience_pipeline.security.sealing import seal_platform
from audience_pipeline.settings import Settings, variable
from audience_pipeline.tables import SOURCES
from audience_pipeline_tests.dagster.runs import fold, settings_in
from audience_pipeline_tests.demo.worlds import world

pytestmark = pytest.mark.slow


@pytest.fixture
def sent(tmp_path: Path) -> Path:
    """Write a small world twice: as it was, and an hour later with every third audience renamed."""
    keyset = load_keyset(path=tmp_path / "keyset.json", json=None, data_dir=tmp_path / "data")
    small = world(tenants=6, audiences=40, distributions=120)
    directory = tmp_path / "sent"
    write_landing(small, directory, sealer=lambda record: seal_platform(record, keyset), files_per_table=2)
    renamed = [record | {"name": f"renamed {record['name']}"} for record in list(small.audiences())[::3]]
    lines = [json.dumps(record | {"updated_at": "2026-03-17T14:29:00Z"}) for record in renamed]
    (directory / "audiences" / "zz.ndjson").write_text("\n".join([*lines, "{"]) + "\n", encoding="utf-8")
    return directory


def digests(settings: Settings) -> dict[str, dict[int, str]]:
    with open_store(settings) as store:
        assert [finding for finding in store.verify() if not finding.harmless] == []
        return {table.name: store.digests(table) for table in SOURCES}


def by_command_line(settings: Settings, sent: Path) -> None:
    fields = ("data_dir", "landing_dir", "quarantine_dir", "keyset")
    environment = os.environ | {variable(name): str(getattr(settings, name)) for name in fields}
    for table in SOURCES:
        command = [
            sys.executable,
            "-m",
            "audience_pipeline",
            "ingest",
            table.name,
            *map(str, sorted((sent / table.name).iterdir())),
        ]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode in {0, 3}, done.stderr


def by_dagster(settings: Settings, sent: Path, ranges: Sequence[tuple[str, str]]) -> None:
    """Land copies of the files, and fold the months in runs over ``ranges``."""
    shutil.copytree(sent, settings.landing_dir)
    assert build_defs(settings).resolve_job_def("landing").execute_in_process().success
    for table in SOURCES:
        for months in ranges if table.by_month else [None]:
            result = fold(settings, table, months=months)
            assert [each.check_name for each in result.get_asset_check_evaluations() if not each.passed] == []


def test_the_command_line_and_dagster_make_the_same_tables(tmp_path: Path, sent: Path) -> None:
    one, other, third = (settings_in(tmp_path / name, keyset=tmp_path / "keyset.json") for name in ("1", "2", "3"))
    by_command_line(one, sent)
    by_dagster(other, sent, [("2024-01", "2026-04")])
    by_dagster(third, sent, [("2025-06", "2026-04"), ("2024-01", "2025-05"), ("2024-12", "2025-12")])
    assert digests(one) == digests(other) == digests(third)
    assert all(digests(one).values())
