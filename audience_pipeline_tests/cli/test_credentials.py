"""`credentials status`, `rotate` and `wrap`: what they print, their exit codes, and no key or secret in any of it."""

import io
import json
from pathlib import Path

import pytest

from audience_pipeline.ingest.files import Landing
from audience_pipeline.ingest.run import ingest_stream
from audience_pipeline.security.keyset import generate_keyset
from audience_pipeline.security.sealing import seal_platform
from audience_pipeline.settings import load_settings, variable
from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline.tables import PLATFORMS
from audience_pipeline_tests.cli.conftest import Command
from audience_pipeline_tests.ingest.builders import NOW, line
from audience_pipeline_tests.rotation.vault import ANN, BEN, secret, sent
from audience_pipeline_tests.security.fake_kms import DENIED, URI, running
from audience_pipeline_tests.storage.builders import json as canonical
from audience_pipeline_tests.storage.builders import platform, put, uuid


@pytest.fixture
def keyset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "keys" / "keyset.json"
    monkeypatch.setenv(variable("keyset"), str(path))
    return path


@pytest.fixture
def sealed(command: Command, keyset: Path, data_dir: Path) -> Command:
    """The command line over three sealed platforms."""
    assert not keyset.exists()
    with ParquetStore(data_dir) as store:
        content = b"".join(line(sent(n, user)) + b"\n" for n, user in ((1, ANN), (2, ANN), (3, BEN)))
        ingest_stream(Landing(store, load_settings(), lambda: NOW), PLATFORMS, io.BytesIO(content))
    return command


def test_status_counts_rows_by_key_and_rotate_leaves_one(sealed: Command, keyset: Path) -> None:
    before = json.loads(sealed("credentials", "status", "--format", "json").stdout)
    first = json.loads(keyset.read_text())["primary"]
    assert before == [
        {"key": first, "status": "primary", "table": "landed_platforms", "rows": 3},
        {"key": first, "status": "primary", "table": "platforms", "rows": 3},
    ]
    rotated = sealed("credentials", "rotate", "--format", "json")
    key = json.loads(keyset.read_text())["primary"]
    assert rotated.exit_code == 0
    assert json.loads(rotated.stdout) == [
        {"table": "landed_platforms", "resealed": 3},
        {"table": "platforms", "resealed": 3},
    ]
    assert f"Key {key} seals now; retired: {first}." in rotated.stderr
    assert "Resealed 3 of landed_platforms, 3 of platforms." in rotated.stderr
    after = json.loads(sealed("credentials", "status", "--format", "json").stdout)
    assert [(row["key"], row["status"], row["rows"]) for row in after] == [
        (first, "retired", 0),
        (key, "primary", 3),
        (key, "primary", 3),
    ]


def test_rows_that_do_not_open_are_named_without_what_they_hold(sealed: Command, data_dir: Path) -> None:
    foreign = canonical(seal_platform(sent(5), generate_keyset())["credentials"])
    with ParquetStore(data_dir) as store:
        put(store, PLATFORMS, platform(5, user_id=ANN, credentials=foreign))
    status = sealed("credentials", "status")
    assert status.exit_code == 1
    assert f"platforms {uuid(5)} of user {ANN}, credentials.api_key: found text sealed under key" in status.stderr
    assert foreign not in status.output
    rotated = sealed("credentials", "rotate")
    assert rotated.exit_code == 3
    assert "`credentials status` names them" in rotated.stderr
    assert secret(1) not in status.output + rotated.output


def test_an_empty_installation_has_one_key_and_rotates_it(command: Command, keyset: Path, data_dir: Path) -> None:
    data_dir.mkdir()
    assert [row["rows"] for row in json.loads(command("credentials", "status", "--format", "json").stdout)] == [0]
    assert command("credentials", "rotate").exit_code == 0
    assert len(json.loads(keyset.read_text())["keys"]) == 2


def test_a_keyset_is_wrapped_once_and_everything_goes_on(
    sealed: Command, keyset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = sealed("credentials", "wrap")
    assert (refused.exit_code, "KMS_KEY_URI: found nothing" in refused.stderr) == (2, True)
    with running() as kms:
        monkeypatch.setenv(variable("kms_key_uri"), URI)
        monkeypatch.setenv(variable("kms_endpoint"), kms.endpoint)
        waiting = sealed("credentials", "status")
        assert (waiting.exit_code, "credentials wrap` once" in waiting.stderr) == (2, True)
        wrapped = sealed("credentials", "wrap")
        assert (wrapped.exit_code, wrapped.stderr) == (0, f"{keyset} is wrapped by {URI}.\n")
        assert sealed("credentials", "rotate").exit_code == 0
        assert json.loads(keyset.read_text())["wrapped_by"] == URI
        assert sealed("credentials", "status").exit_code == 0
        kms.refuse(DENIED)
        before = keyset.read_bytes()
        denied = sealed("credentials", "rotate")
        assert (denied.exit_code, "Grant the account roles/cloudkms" in denied.stderr) == (2, True)
        assert keyset.read_bytes() == before


def test_a_service_elsewhere_is_not_called_without_encryption(
    command: Command, keyset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable("kms_endpoint"), "kms.example.com:443")
    refused = command("credentials", "rotate")
    assert (refused.exit_code, "since keys go there unencrypted" in refused.stderr) == (2, True)
    assert not keyset.exists()
