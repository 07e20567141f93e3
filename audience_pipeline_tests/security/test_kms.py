"""The keyset wrapped by a key management service: one call a process, and errors that leave everything as it was."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from audience_pipeline.errors import PipelineError, SettingsError, StorageError, UnavailableError
from audience_pipeline.rotation.wrapping import wrap_keyset
from audience_pipeline.security import kms as kms_module
from audience_pipeline.security import load_keyset
from audience_pipeline.security.keyset import Keyset, encode_keyset
from audience_pipeline.security.kms import GoogleKms
from audience_pipeline.security.wrapping import _unwrapped
from audience_pipeline.settings import Settings, variable
from audience_pipeline_tests.ingest.builders import line, settings_in
from audience_pipeline_tests.rotation.vault import sent
from audience_pipeline_tests.security.fake_kms import DENIED, DISABLED, KEY, URI, FakeKms, running


@pytest.fixture
def kms(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeKms]:
    monkeypatch.setattr(kms_module, "_PATIENCE_SECONDS", 2.0)
    _unwrapped.cache_clear()
    with running() as service:
        yield service


@pytest.fixture
def settings(tmp_path: Path, kms: FakeKms) -> Settings:
    return settings_in(tmp_path, kms_key_uri=URI, kms_endpoint=kms.endpoint)


def load(settings: Settings, service: GoogleKms | None, json: str | None = None) -> Keyset:
    return load_keyset(path=settings.keyset, json=json, data_dir=settings.data_dir, service=service)


def service_of(kms: FakeKms, uri: str = URI) -> GoogleKms:
    return GoogleKms(uri, kms.endpoint)


def left_in(settings: Settings) -> dict[str, bytes]:
    """Return what is in the keyset's directory, without the lock."""
    files = settings.keyset.parent.glob("*") if settings.keyset.parent.exists() else ()
    hidden = settings.keyset.parent.glob(".*.tmp")
    return {path.name: path.read_bytes() for path in [*files, *hidden] if path.is_file() and path.suffix != ".lock"}


def test_the_first_use_makes_a_keyset_that_only_the_service_can_read(kms: FakeKms, settings: Settings) -> None:
    keyset = load(settings, service_of(kms))
    content = settings.keyset.read_bytes()
    plain = json.loads(encode_keyset(keyset))
    materials = [plain["fingerprint_key"], *(key["material"] for key in plain["keys"])]
    assert not [material for material in materials if material.encode() in content]
    assert json.loads(content)["wrapped_by"] == URI
    assert settings.keyset.stat().st_mode & 0o777 == 0o600
    _unwrapped.cache_clear()
    assert encode_keyset(load(settings, service_of(kms))) == encode_keyset(keyset)


def test_the_wrapped_content_may_stand_in_the_environment(kms: FakeKms, settings: Settings) -> None:
    keyset = load(settings, service_of(kms))
    again = load(settings, service_of(kms), json=settings.keyset.read_text())
    assert encode_keyset(again) == encode_keyset(keyset)


def test_a_process_calls_the_service_once_however_much_it_seals(kms: FakeKms, settings: Settings) -> None:
    load(settings, service_of(kms))
    kms.calls.clear()
    names = ("data_dir", "landing_dir", "quarantine_dir", "keyset", "kms_key_uri", "kms_endpoint")
    environment = {variable(name): str(getattr(settings, name)) for name in names}
    records = b"".join(line(sent(number)) + b"\n" for number in range(1, 60))
    done = subprocess.run(
        [sys.executable, "-m", "audience_pipeline", "ingest", "platforms", "-"],
        input=records,
        env={**environment, "PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, kms.calls) == (0, ["Decrypt"]), done.stderr.decode()


REFUSALS = [
    (DENIED, SettingsError, "expected permission to encrypt and decrypt. Grant the account roles/cloudkms.cryptoKey"),
    (DISABLED, SettingsError, "is not enabled: DISABLED, expected an enabled key version. Enable it again"),
    ((grpc.StatusCode.UNAVAILABLE, "try later"), UnavailableError, "expected an answer within .* nothing is lost"),
    ((grpc.StatusCode.NOT_FOUND, "no such key"), SettingsError, "Correct AUDIENCE_PIPELINE_KMS_KEY_URI"),
    ((grpc.StatusCode.UNAUTHENTICATED, "who?"), SettingsError, "expected credentials the service accepts"),
    ((grpc.StatusCode.RESOURCE_EXHAUSTED, "quota"), UnavailableError, "expected quota for one call"),
    ((grpc.StatusCode.DATA_LOSS, "odd"), SettingsError, "found odd, expected an answer. Mend the cause"),
]


@pytest.mark.parametrize(("status", "family", "message"), REFUSALS, ids=[str(each[0][0]) for each in REFUSALS])
def test_a_refusal_says_what_to_do_and_leaves_everything_as_it_was(
    kms: FakeKms,
    settings: Settings,
    status: tuple[grpc.StatusCode, str],
    family: type[PipelineError],
    message: str,
) -> None:
    kms.refuse(status)
    with pytest.raises(family, match=message):
        load(settings, service_of(kms))
    assert left_in(settings) == {}
    kms.refusals = {}
    load(settings, service_of(kms))
    before = left_in(settings)
    _unwrapped.cache_clear()
    kms.refuse(status)
    with pytest.raises(family, match=message):
        load(settings, service_of(kms))
    assert left_in(settings) == before


def test_a_service_that_is_not_there_is_waited_for_only_so_long(kms: FakeKms, settings: Settings) -> None:
    kms.stop()
    with pytest.raises(UnavailableError, match=r"expected an answer within 2\d? seconds|expected an answer"):
        load(settings, service_of(kms))
    assert left_in(settings) == {}


def test_an_answer_that_was_changed_on_its_way_is_not_believed(kms: FakeKms, settings: Settings) -> None:
    kms.garbled = True
    with pytest.raises(StorageError, match="whose checksum is not that of its content"):
        load(settings, service_of(kms))
    assert left_in(settings) == {}
    kms.garbled = False
    load(settings, service_of(kms))
    _unwrapped.cache_clear()
    kms.garbled = True
    with pytest.raises(StorageError, match="whose checksum is not that of its content"):
        load(settings, service_of(kms))


def test_who_may_encrypt_but_not_decrypt_makes_no_keyset_that_is_lost(kms: FakeKms, settings: Settings) -> None:
    kms.refuse(DENIED, "Decrypt")
    with pytest.raises(SettingsError, match="expected permission to encrypt and decrypt"):
        load(settings, service_of(kms))
    assert left_in(settings) == {}


def test_what_the_key_encrypted_for_others_is_no_keyset(kms: FakeKms, settings: Settings) -> None:
    keyset = load(settings, service_of(kms))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kms_module, "ASSOCIATED", b"something else")
        settings.keyset.unlink()
        load(settings, service_of(kms))
    _unwrapped.cache_clear()
    with pytest.raises(SettingsError, match="expected a keyset this key wrapped"):
        load(settings, service_of(kms))
    assert keyset.primary


def test_a_keyset_that_is_not_wrapped_as_configured_is_refused(kms: FakeKms, settings: Settings) -> None:
    load(settings, None)
    with pytest.raises(
        SettingsError, match=r"found a keyset that is not wrapped, expected one wrapped by .* wrap` once"
    ):
        load(settings, service_of(kms))
    settings.keyset.unlink()
    load(settings, service_of(kms))
    with pytest.raises(SettingsError, match=r"found a keyset wrapped by .* Set AUDIENCE_PIPELINE_KMS_KEY_URI to it"):
        load(settings, None)
    with pytest.raises(SettingsError, match=rf"found a keyset wrapped by {URI}, expected one wrapped by {URI}2"):
        load(settings, service_of(kms, f"{URI}2"))


def test_a_damaged_envelope_is_refused_without_a_call(kms: FakeKms, settings: Settings) -> None:
    load(settings, service_of(kms))
    kms.calls.clear()
    content = json.loads(settings.keyset.read_bytes())
    settings.keyset.write_text(json.dumps({**content, "keyset": "no base64"}))
    with pytest.raises(SettingsError, match="a wrapped keyset that is damaged"):
        load(settings, service_of(kms))
    assert kms.calls == []


def test_a_keyset_in_use_is_wrapped_and_opens_what_it_sealed(kms: FakeKms, settings: Settings) -> None:
    before = load(settings, None)
    wrap_keyset(settings, None)
    assert encode_keyset(load(settings, service_of(kms))) == encode_keyset(before)
    other = settings.model_copy(update={"kms_key_uri": f"{URI}2"})
    with pytest.raises(SettingsError, match="found a keyset wrapped by"):
        wrap_keyset(other, None)
    wrap_keyset(other, URI)
    assert encode_keyset(load(settings, service_of(kms, f"{URI}2"))) == encode_keyset(before)


def test_a_keyset_whose_key_cannot_be_used_stays_as_it_is(kms: FakeKms, settings: Settings) -> None:
    load(settings, None)
    before = left_in(settings)
    for refused in ("Encrypt", "Decrypt"):
        kms.refuse(DISABLED, refused)
        with pytest.raises(SettingsError, match="expected an enabled key version"):
            wrap_keyset(settings, None)
        assert left_in(settings) == before


def test_the_name_of_the_key_is_what_the_service_is_asked_for(settings: Settings) -> None:
    missing = settings.model_copy(update={"kms_key_uri": URI.replace("acme", "other")})
    load(settings, None)
    with pytest.raises(SettingsError, match=f"CryptoKey {KEY.replace('acme', 'other')} not found"):
        wrap_keyset(missing, None)
