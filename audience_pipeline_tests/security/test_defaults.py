"""What an installation is without anybody having thought of it: closed to others, and made of what was locked."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from audience_pipeline_tests.ingest.builders import audience, line, platform, user

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements.lock", "requirements-emulator.lock")
NAMED = re.compile(r"^[a-z0-9][\w.\[\],-]*==", re.IGNORECASE)
HASHED = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def run(home: Path, *arguments: str, given: bytes = b"") -> bytes:
    """Run a command in an installation of its own, as a user whose files anybody may read and write."""
    settings = {"DATA_DIR": "data", "LANDING_DIR": "landing", "QUARANTINE_DIR": "quarantine", "KEYSET": "keys/k.json"}
    ours = {f"AUDIENCE_PIPELINE_{name}": str(home / place) for name, place in settings.items()}
    command = [sys.executable, "-m", "audience_pipeline", *arguments]
    done = subprocess.run(
        command, cwd=home, env=os.environ | ours, input=given, capture_output=True, check=False, preexec_fn=_generous
    )
    assert done.returncode in {0, 3}, done.stderr.decode()
    return done.stdout


def _generous() -> None:
    os.umask(0)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation that landed, refused, rotated, and opened a session."""
    home = tmp_path_factory.mktemp("home")
    sealed = run(home, "credentials", "seal", given=line(platform(credentials={"api_key": "k"})))
    run(home, "migrate")
    for table, records in (("users", [line(user())]), ("audiences", [line(audience()), b"{"]), ("platforms", [sealed])):
        run(home, "ingest", table, "-", given=b"\n".join(records) + b"\n")
    run(home, "credentials", "rotate")
    run(home, "sql", "SELECT name FROM audiences", "--user-id", "user123")
    return home


def test_nobody_else_can_reach_data_quarantine_or_keys_whatever_the_umask(home: Path) -> None:
    for place in ("data", "quarantine", "keys"):
        assert (home / place).stat().st_mode & 0o777 == 0o700, place


def test_files_with_secrets_or_state_are_closed_by_themselves(home: Path) -> None:
    closed = [home / "keys" / "k.json", *home.glob("quarantine/*.sqlite*"), *home.glob("data/_state/*.sqlite*")]
    assert len(closed) >= 3
    assert {path.name: path.stat().st_mode & 0o077 for path in closed} == {path.name: 0 for path in closed}


def test_a_keyset_others_may_read_is_refused(home: Path) -> None:
    place = home / "keys" / "k.json"
    place.chmod(0o640)
    try:
        with pytest.raises(AssertionError, match="chmod 600"):
            run(home, "credentials", "status")
    finally:
        place.chmod(0o600)


def test_the_keyset_is_not_among_the_data(home: Path) -> None:
    material = json.loads((home / "keys" / "k.json").read_bytes())["keys"][0]["material"].encode()
    kept = [path for place in ("data", "quarantine") for path in (home / place).rglob("*") if path.is_file()]
    assert [path for path in kept if material in path.read_bytes()] == []


@pytest.mark.parametrize("name", LOCKS)
def test_every_locked_package_has_a_version_and_hashes(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")
    entries = [each for each in text.splitlines() if each.strip() and not each.lstrip().startswith("#")]
    assert len(entries) > 10
    assert [each for each in entries if not (NAMED.match(each) and HASHED.search(each))] == []


def test_what_is_installed_is_checked_against_the_hashes() -> None:
    """All but the project itself; and nothing is left to resolve, which might find another version."""
    texts = [(ROOT / name).read_text(encoding="utf-8") for name in ("Makefile", "emulator/installation.py")]
    installing = [each for text in texts for each in text.splitlines() if re.search(r"\binstall\b.*-qq", each)]
    assert len(installing) >= 3
    assert [each for each in installing if "--no-deps" not in each] == []
    assert [each for each in installing if "--require-hashes" not in each and "--editable ." not in each] == []
