"""Whatever SQL a tenant runs, it sees its own rows, learns no path, and writes nothing."""

import os
from pathlib import Path

import pyarrow as pa
import pytest

from audience_pipeline.errors import PipelineError
from audience_pipeline.queries.sessions import Session
from audience_pipeline.settings import Settings
from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline_tests.queries.sessions.attacks import ATTACKS, PROBES
from audience_pipeline_tests.queries.sessions.conftest import SECRET
from audience_pipeline_tests.queries.world import API_KEY, BEN, uid

a_python_variable = pa.table({"secret": [SECRET]})
OF_BEN = [SECRET, API_KEY, BEN, "ben%2F", *map(uid, (5, 13, 22, 60))]


def filled(statement: str, settings: Settings) -> str:
    data = settings.data_dir
    other = data / "audiences" / "user_id=ben%2F..%2Fx%3Dy%25"
    places = {
        "data": data,
        "own": data / "audiences" / "user_id=user123",
        "file": next(other.rglob("*.parquet")),
        "link": data.parent / "link.parquet",
        "out": data.parent,
    }
    return statement.format_map(places)


def leaks(text: str, statement: str, settings: Settings) -> list[str]:
    """Return what a text tells that its reader had not said."""
    secrets = [*OF_BEN, str(settings.data_dir), str(settings.data_dir.parent), "root:", os.environ["HOME"]]
    return [secret for secret in secrets if secret in text and secret not in statement]


def tree(root: Path) -> dict[str, tuple[int, bytes]]:
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in root.rglob("*") if path.is_file()}


def test_there_are_enough_attacks() -> None:
    assert len(set(ATTACKS)) >= 150


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_is_refused_and_tells_nothing_and_writes_nothing(
    session: Session, settings: Settings, attack: str
) -> None:
    statement, root = filled(attack, settings), settings.data_dir.parent
    link = root / "link.parquet"
    if not link.exists():
        link.symlink_to(filled("{file}", settings))
    before = tree(root)
    with pytest.raises(PipelineError) as caught:
        session.sql(statement)
    assert leaks(f"{caught.value}{caught.value.__cause__}", statement, settings) == []
    assert tree(root) == before


@pytest.mark.parametrize("probe", PROBES)
def test_a_statement_that_is_run_shows_the_tenants_rows_at_most(
    session: Session, settings: Settings, probe: str
) -> None:
    before = tree(settings.data_dir.parent)
    shown = str(session.sql(probe).to_pylist())
    assert leaks(shown, "", settings) == []
    assert tree(settings.data_dir.parent) == before


def test_the_same_statements_without_a_seal_would_show_the_other_tenant(store: ParquetStore) -> None:
    """The probes prove something: there is another tenant in every table they read."""
    from audience_pipeline.queries.statements import read  # noqa: PLC0415 - for this contrast only

    tables = [
        probe
        for probe in PROBES
        if probe.startswith("SELECT * FROM ") and "WHERE" not in probe and "SAMPLE" not in probe
    ]
    shown = {probe: str(read(store.root, probe)[0].to_pylist()) for probe in tables}
    assert [probe for probe, text in shown.items() if not any(each in text for each in OF_BEN)] == []
