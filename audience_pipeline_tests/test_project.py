"""The repository itself: nothing of one machine in it, a complete lock, an instance file Dagster accepts."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from dagster import DagsterInstance

ROOT = Path(__file__).parent.parent
# Written with character classes so that the patterns don't find themselves.
INDEX_HOST = re.compile(r"py[p]i\.org|pythonhoste[d]\.org|npmj[s]\.org|--(extra-)?inde[x]-url")
MACHINE_PATH = re.compile(r"(?<![\w.])/(home/\w+|roo[t]|User[s]/\w+|wor[k])/")


def tracked_files() -> list[Path]:
    # The tests' own home has no git configuration, and a mounted checkout may belong to another user.
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z"]
    listing = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [ROOT / name for name in listing.split("\0") if name]


@pytest.mark.parametrize("pattern", [INDEX_HOST, MACHINE_PATH], ids=["package index", "path of one machine"])
def test_no_tracked_file_names_what_only_one_machine_has(pattern: re.Pattern[str]) -> None:
    texts = [path for path in tracked_files() if path.is_file()]
    found = [path for path in texts if pattern.search(path.read_text(encoding="utf-8", errors="replace"))]
    assert found == []


def test_the_patterns_find_what_they_are_for() -> None:
    registry, homes = "pypi", "home"
    assert INDEX_HOST.search(f"from https://{registry}.org/simple")
    assert MACHINE_PATH.search(f"see /{homes}/someone/checkout")


def test_every_declared_dependency_is_locked_with_hashes() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [name for names in project["optional-dependencies"].values() for name in names]
    declared = {re.split(r"[\[<>=]", name)[0] for name in project["dependencies"] + extras} - {project["name"]}
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    locked = set(
        re.findall(r"^([a-z0-9-]+)(?:\[[a-z]+\])?==\S+(?: ;[^\\]*)? \\\n    --hash=sha256:", lock, re.MULTILINE)
    )
    assert declared <= locked


def test_dagster_accepts_the_instance_file(tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_bytes((ROOT / "dagster.yaml").read_bytes())
    with DagsterInstance.from_config(str(tmp_path)) as instance:
        assert not instance.telemetry_enabled
        assert instance.run_monitoring_enabled
        assert instance.run_retries_enabled
