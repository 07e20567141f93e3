"""The keyset: found, made once, kept private, refused clearly."""

import base64
import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from audience_pipeline.errors import SettingsError, StorageError
from audience_pipeline.security import load_keyset
from audience_pipeline.security.keyset import Keyset, encode_keyset, generate_keyset, parse_keyset

PROCESSES = 6
LOAD = """
import sys
from pathlib import Path
from audience_pipeline.security.keyset import encode_keyset, load_keyset
place = Path(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
keyset = load_keyset(path=place / "home/keys/keyset.json", json=None, data_dir=place / "data")
sys.stdout.buffer.write(encode_keyset(keyset))
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "keys" / "keyset.json"


def load(path: Path, json: str | None = None, data_dir: Path | None = None) -> Keyset:
    return load_keyset(path=path, json=json, data_dir=data_dir or path.parents[2] / "data")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_first_use_makes_a_private_keyset_and_the_next_finds_it(path: Path) -> None:
    first = load(path)
    assert encode_keyset(load(path)) == encode_keyset(first) == path.read_bytes()
    assert mode(path) == 0o600
    assert mode(path.parent) == 0o700
    assert list(path.parent.iterdir()) == [path]


def test_processes_that_start_at_once_agree_on_one_keyset(tmp_path: Path) -> None:
    racers = [
        subprocess.Popen([sys.executable, "-c", LOAD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(PROCESSES)
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == b"ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write(b"go\n")
        racer.stdin.flush()
    keysets = {racer.communicate()[0] for racer in racers}
    assert [racer.returncode for racer in racers] == [0] * PROCESSES
    assert keysets == {(tmp_path / "home/keys/keyset.json").read_bytes()}
    assert [file.name for file in (tmp_path / "home/keys").iterdir()] == ["keyset.json"]


def test_the_content_in_the_settings_goes_before_the_file(path: Path) -> None:
    given = generate_keyset()
    assert load(path, json=encode_keyset(given).decode()).primary == given.primary
    assert not path.exists()


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o620, 0o601])
def test_a_keyset_open_to_others_is_refused(path: Path, bits: int) -> None:
    load(path)
    path.chmod(bits)
    with pytest.raises(SettingsError, match=rf"found mode {bits:04o}.*expected mode 0600.*chmod 600 "):
        load(path)


def test_a_keyset_inside_the_data_directory_is_refused_and_not_made(tmp_path: Path) -> None:
    path = tmp_path / "data" / "keyset.json"
    with pytest.raises(SettingsError, match="inside the data directory"):
        load(path, data_dir=tmp_path / "data")
    assert not path.exists()


def test_a_link_into_the_data_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "data" / "keyset.json")
    with pytest.raises(SettingsError, match="inside the data directory"):
        load(tmp_path / "link", data_dir=tmp_path / "data")


def test_a_data_directory_that_is_a_link_is_seen_through(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "data").symlink_to(tmp_path / "disk")
    with pytest.raises(SettingsError, match="inside the data directory"):
        load(tmp_path / "disk" / "keyset.json", data_dir=tmp_path / "data")


def test_a_link_to_a_keyset_is_followed_and_its_target_judged(path: Path, tmp_path: Path) -> None:
    keyset = load(path)
    link = tmp_path / "link.json"
    link.symlink_to(path)
    assert load(link, data_dir=tmp_path / "data").primary == keyset.primary
    path.chmod(0o644)
    with pytest.raises(SettingsError, match="found mode 0644"):
        load(link, data_dir=tmp_path / "data")


def test_a_directory_or_a_pipe_is_refused_at_once(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(SettingsError, match="not a regular file"):
        load(path)
    os.mkfifo(path.with_name("pipe"), 0o600)
    with pytest.raises(SettingsError, match="not a regular file"):
        load(path.with_name("pipe"))


def test_a_link_to_itself_is_refused(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.symlink_to(path)
    with pytest.raises(StorageError, match="keyset file"):
        load(path)


def test_a_place_where_none_can_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file in the place of a directory")
    with pytest.raises(StorageError, match=r"home/keys/keyset\.json"):
        load(tmp_path / "home" / "keys" / "keyset.json")


def document() -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(encode_keyset(generate_keyset()))
    return parsed


def without(member: str) -> dict[str, Any]:
    return {key: value for key, value in document().items() if key != member}


def with_key(**changes: str) -> dict[str, Any]:
    changed = document()
    changed["keys"][0] |= changes
    return changed


def doubled() -> dict[str, Any]:
    changed = document()
    changed["keys"] *= 2
    return changed


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("", "nothing: it is empty"),
        ("{", "1 bytes that are no JSON"),
        ("\udcff", "3 bytes that are no JSON"),
        ("[]", "JSON that is no keyset"),
        (json.dumps(without("primary")), "JSON that is no keyset"),
        (json.dumps(document() | {"version": 2}), r"JSON that is no keyset (at $.version)"),
        (json.dumps(with_key(material="AAAA")), r"JSON that is no keyset (at $.keys[0].material)"),
        (json.dumps(with_key(material="~")), r"JSON that is no keyset (at $.keys[0].material)"),
        (json.dumps(with_key(status="secret")), r"JSON that is no keyset (at $.keys[0].status)"),
        (json.dumps(doubled()), "two keys of one id"),
        (json.dumps(document() | {"primary": "ffffffff"}), "no key ffffffff, which is named as primary"),
        (
            json.dumps(with_key(status="retired", id="00000001") | {"primary": "00000001"}),
            "a primary key, 00000001, that is retired",
        ),
    ],
)
def test_what_is_no_keyset_is_refused_with_its_fault(path: Path, content: str, found: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        load(path, json=content)
    assert refusal.value.object == "AUDIENCE_PIPELINE_KEYSET_JSON"
    assert refusal.value.found == found
    assert refusal.value.remedy.startswith("Restore it from its backup")


def test_a_garbled_file_is_named_and_kept(path: Path) -> None:
    load(path)
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(SettingsError, match=r"keyset file .*keyset\.json: found 50 bytes that are no JSON"):
        load(path)
    assert path.stat().st_size == 50


def test_the_json_form_comes_back_whole(rotated: Keyset) -> None:
    encoded = encode_keyset(rotated)
    assert encode_keyset(parse_keyset(encoded, source="a copy")) == encoded
    materials = [key["material"] for key in json.loads(encoded)["keys"]]
    assert [len(base64.b64decode(material)) for material in materials] == [32, 32]
