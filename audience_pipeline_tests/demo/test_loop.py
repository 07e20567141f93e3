"""The demo's command: a directory of its own, the whole loop in it, and nothing new the second time."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from audience_pipeline.demo.place import place_at
from audience_pipeline.errors import UsageError
from audience_pipeline.queries import PATTERNS
from audience_pipeline.settings import PREFIX


def run(*command: str, cwd: Path, settings: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command in a terminal of 100 columns, with no setting in its environment but those given."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith((PREFIX, "DAGSTER"))}
    environment |= {"COLUMNS": "100", **(settings or {})}
    return subprocess.run(command, cwd=cwd, env=environment, check=False, capture_output=True, text=True, timeout=300)


def demo(cwd: Path, *options: str, settings: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return run(sys.executable, "-m", "audience_pipeline", "demo", *options, cwd=cwd, settings=settings)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A small demo: where it ran, and what it said."""
    home = tmp_path_factory.mktemp("somewhere else")
    return home, demo(home, "--size", "100", "--seed", "7")


@pytest.mark.slow
def test_a_demo_shows_every_access_pattern_and_every_refusal(
    first: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    _, result = first
    assert result.returncode == 0, result.stderr
    assert [name for name in PATTERNS if f"query {name} " not in result.stdout] == []
    assert [each for each in ("'live'", "segmnts", "duplicate key", "match_rate") if each not in result.stdout] == []
    assert "Failed:" not in result.stdout
    assert "No rows." not in result.stdout
    before_the_commands = result.stdout.partition("What to open next")[0]
    assert max(map(len, before_the_commands.splitlines())) <= 100
    assert "Traceback" not in result.stderr


@pytest.mark.slow
def test_a_demo_run_again_changes_nothing_and_says_so(first: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    home, _ = first
    again = demo(home)
    assert again.returncode == 0, again.stderr
    assert "Nothing changed" in again.stdout


@pytest.mark.slow
def test_the_commands_a_demo_ends_with_work(first: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    home, result = first
    lines = [line.strip() for line in result.stdout.partition("What to open next")[2].splitlines() if line.strip()]
    environment, *commands = lines
    others = [command for command in commands if not command.startswith("dagster dev")]
    assert len(others) == len(commands) - 1
    for command in others:
        found = run("sh", "-c", f"{environment}\n{command}", cwd=home)
        assert (found.returncode, found.stderr) == (0, ""), command
        assert found.stdout, command


@pytest.mark.slow
def test_a_store_verifies_after_a_demo(first: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    home, _ = first
    found = run("sh", "-c", ". ./demo/environment; audience-pipeline verify", cwd=home)
    assert (found.returncode, found.stdout) == (0, "")


def test_a_directory_that_is_no_demo_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("dear", encoding="utf-8")
    with pytest.raises(UsageError, match="no former demo"):
        place_at(tmp_path, seed=None, size=None)
    assert [path.name for path in tmp_path.iterdir()] == ["letters.txt"]


def test_a_former_demo_keeps_its_world(tmp_path: Path) -> None:
    made = place_at(tmp_path, seed=3, size=200)
    again = place_at(tmp_path, seed=None, size=None)
    assert (made.former, again.former) == (False, True)
    assert again.world == made.world
    with pytest.raises(UsageError, match=r"seed 3, size 200.*seed 4, size 200"):
        place_at(tmp_path, seed=4, size=None)


def test_everything_of_a_demo_is_in_its_directory_and_the_keys_outside_its_data(tmp_path: Path) -> None:
    settings = place_at(tmp_path, seed=1, size=100).settings
    places = (settings.data_dir, settings.landing_dir, settings.quarantine_dir, settings.keyset)
    assert all(path.is_relative_to(tmp_path) for path in places)
    assert not settings.keyset.is_relative_to(settings.data_dir)
