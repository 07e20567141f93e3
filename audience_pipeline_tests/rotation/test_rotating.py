"""Key rotation: every sealed text comes under a new key, nothing else changes, and what is stopped goes on."""

from collections.abc import Sequence
from functools import partial

import msgspec
import pytest
from msgspec.structs import replace

from audience_pipeline.delivery.connectors.registry import Connectors
from audience_pipeline.delivery.engine import Engine
from audience_pipeline.errors import ConflictError, RefusedError, StorageError, UsageError
from audience_pipeline.ingest.run import retry_entries
from audience_pipeline.ingest.secrets import configured_keyset
from audience_pipeline.rotation.rotating import Rotation
from audience_pipeline.security.keyfile import exclusive
from audience_pipeline.security.keyset import encode_keyset, generate_keyset, save_keyset
from audience_pipeline.security.sealing import seal_platform
from audience_pipeline.storage.contract import Resealed
from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline.tables import AUDIT_LOG, LANDED, PLATFORMS
from audience_pipeline.tables.canonical import content_digest
from audience_pipeline_tests.rotation.vault import ANN, BEN, REFUSED, Vault, secret, sent
from audience_pipeline_tests.storage.builders import platform as row_of
from audience_pipeline_tests.storage.builders import put, uuid

OPENED = {(uuid(n), text) for n in (1, 2, 3) for text in (secret(n), f'{{"token":"{secret(n)}"}}')}


def test_every_text_comes_under_a_new_key_and_nothing_else_changes(vault: Vault) -> None:
    before, first = vault.texts(), vault.keyset
    digests = vault.store.digests(PLATFORMS), content_digest(LANDED["platforms"], vault.store.landing.read(PLATFORMS))
    rotated = vault.rotate()
    keyset = vault.keyset
    assert vault.keys() == {rotated.key} == {keyset.primary} != {first.primary}
    assert vault.opened() == OPENED
    assert not {each.text for each in before} & {each.text for each in vault.texts()}
    assert [(key.id, key.status) for key in keyset.keys] == [(first.primary, "retired"), (rotated.key, "enabled")]
    assert dict(rotated.resealed) == {"landed_platforms": 4, "platforms": 3, "quarantine": 1}
    assert (rotated.retired, rotated.left) == ((first.primary,), {})
    after = vault.store.digests(PLATFORMS), content_digest(LANDED["platforms"], vault.store.landing.read(PLATFORMS))
    assert after == digests
    assert [finding for finding in vault.store.verify() if not finding.harmless] == []


def test_a_replay_after_a_rotation_changes_nothing(anywhere: Vault) -> None:
    anywhere.rotate()
    before = anywhere.texts()
    report = anywhere.ingest([sent(2), sent(3, BEN)])
    assert (report.unchanged, report.updated, report.inserted) == (2, 0, 0)
    assert {each for each in anywhere.texts() if each.table is PLATFORMS} == {
        each for each in before if each.table is PLATFORMS
    }


def test_the_audit_log_tells_each_tenant_of_a_rotation(anywhere: Vault) -> None:
    key = anywhere.rotate().key
    found = [row for row in anywhere.store.read(AUDIT_LOG).to_pylist() if row["action"] == "rotate"]
    assert sorted((row["user_id"], row["actor"], row["object"]) for row in found) == [
        (ANN, "test", f"key {key}"),
        (BEN, "test", f"key {key}"),
    ]


def test_a_refused_record_is_tried_again_after_a_rotation(on_files: Vault) -> None:
    on_files.rotate()
    on_files.now = on_files.now.replace(year=2027)
    (report,) = retry_entries(on_files.landing, on_files.landing.quarantine.entries())
    assert (report.inserted, report.rejected) == (1, 0)
    assert (uuid(REFUSED), secret(REFUSED)) in on_files.opened()


def test_keys_are_counted_by_table_and_status(on_files: Vault) -> None:
    first = on_files.keyset.primary
    assert on_files.counted().uses == [
        (first, "primary", "landed_platforms", 4),
        (first, "primary", "platforms", 3),
        (first, "primary", "quarantine", 1),
    ]
    key = on_files.rotate().key
    assert on_files.counted().uses == [
        (first, "retired", "", 0),
        (key, "primary", "landed_platforms", 4),
        (key, "primary", "platforms", 3),
        (key, "primary", "quarantine", 1),
    ]


def test_what_opens_under_no_key_is_left_and_named(on_files: Vault) -> None:
    other = generate_keyset()
    foreign = seal_platform(sent(5), other)["credentials"]
    moved = msgspec.json.decode(on_files.texts()[0].text)
    put(on_files.store, PLATFORMS, row_of(5, user_id=ANN, credentials=msgspec.json.encode(foreign).decode()))
    put(on_files.store, PLATFORMS, row_of(6, user_id=ANN, credentials=msgspec.json.encode(moved).decode()))
    named = {(each.place, each.problem.code) for each in on_files.counted().unopened}
    assert named == {(uuid(5), "unknown_key"), (uuid(6), "does_not_open")}
    rotated = on_files.rotate()
    assert {key: problem.code for key, problem in rotated.left.items()} == {
        f"platforms {uuid(5)} of user {ANN}": "unknown_key",
        f"platforms {uuid(6)} of user {ANN}": "does_not_open",
    }
    assert (other.primary, "unknown", "platforms", 1) in on_files.counted().uses


class Stopping:
    """A store that stops working at the ``last`` write of sealed texts."""

    def __init__(self, store: ParquetStore, last: int) -> None:
        self._store, self._left = store, last

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def reseal(self, table: object, rows: Sequence[Resealed]) -> int:
        self._left -= 1
        if self._left < 0:
            raise StorageError(object="disk", found="no space", expected="some", remedy="Free some.")
        return self._store.reseal(table, rows)  # type: ignore[arg-type]


@pytest.mark.parametrize("last", [0, 1])
def test_a_rotation_that_stopped_goes_on_with_the_same_key(on_files: Vault, last: int) -> None:
    store, first = on_files.store, on_files.keyset.primary
    on_files.store = Stopping(store, last)  # type: ignore[arg-type,assignment]
    with pytest.raises(StorageError):
        on_files.rotate()
    on_files.store = store
    between = on_files.keyset
    assert {key.status for key in between.keys} == {"enabled"}
    assert (len(between.keys), on_files.opened()) == (2, OPENED)
    rotated = on_files.rotate()
    assert (rotated.key, rotated.retired) == (between.primary, (first,))
    assert (on_files.keys(), on_files.opened()) == ({rotated.key}, OPENED)


def test_a_row_that_a_late_writer_left_under_a_retired_key_comes_along_the_next_time(on_files: Vault) -> None:
    late = seal_platform(sent(7), on_files.keyset)["credentials"]
    on_files.rotate()
    put(on_files.store, PLATFORMS, row_of(7, user_id=ANN, credentials=msgspec.json.encode(late).decode()))
    assert [each.problem.code for each in on_files.counted().unopened] == ["retired_key"]
    on_files.rotate()
    assert on_files.counted().unopened == []
    assert on_files.opened() == {*OPENED, (uuid(7), secret(7)), (uuid(7), f'{{"token":"{secret(7)}"}}')}


def test_a_delivery_that_read_its_row_before_a_rotation_ended_opens_it_all_the_same(on_files: Vault) -> None:
    (row,) = on_files.store.get(PLATFORMS, [uuid(2)]).to_pylist()
    keyset = partial(configured_keyset, on_files.settings)
    with Connectors(on_files.settings) as connectors:
        engine = Engine(on_files.store, on_files.settings, connectors, keyset, lambda: on_files.now, "worker")
        on_files.rotate()
        opened = engine.credentials(row)
        assert opened.api_key is not None
        assert opened.api_key.reveal() == secret(2)
        other = {**row, "platform_id": uuid(77)}
        with pytest.raises(RefusedError, match="which is retired"):
            engine.credentials(other)


def test_a_record_sealed_under_a_retired_key_is_refused_and_stays_so(on_files: Vault) -> None:
    """Whoever stole a key must not have what it sealed laundered by a rotation."""
    stolen = seal_platform(sent(8), on_files.keyset)
    on_files.rotate()
    report = on_files.ingest([stolen])
    assert (report.inserted, report.rejected) == (0, 1)
    on_files.rotate()
    waiting = [entry for entry in on_files.landing.quarantine.entries() if entry.problems[0].code == "retired_key"]
    (report,) = retry_entries(on_files.landing, waiting)
    assert (report.inserted, report.rejected) == (0, 1)


def test_one_rotation_runs_at_a_time(on_files: Vault) -> None:
    before = encode_keyset(on_files.keyset)
    with (
        exclusive(on_files.settings.keyset),
        pytest.raises(ConflictError, match=r"found another process .* Wait until it has ended"),
    ):
        on_files.rotate()
    assert encode_keyset(on_files.keyset) == before


def test_a_keyset_in_the_environment_is_not_rotated(on_files: Vault) -> None:
    text = encode_keyset(on_files.keyset).decode()
    settings = on_files.settings.model_validate({**on_files.settings.model_dump(), "keyset_json": text})
    with pytest.raises(UsageError, match="KEYSET_JSON: found the keyset in the environment"):
        Rotation(on_files.store, settings, lambda: on_files.now, "test")


def test_what_a_killed_rotation_left_beside_the_keyset_is_removed_by_the_next(on_files: Vault) -> None:
    place = on_files.settings.keyset
    left = place.with_name(f".{place.name}.abc.tmp")
    left.write_bytes(b"half a keyset")
    on_files.rotate()
    assert not left.exists()
    assert place.stat().st_mode & 0o777 == 0o600


def test_a_replacement_that_changes_more_than_the_sealing_is_refused(anywhere: Vault) -> None:
    (text,) = [each for each in anywhere.texts() if each.table is PLATFORMS and each.key == uuid(2)]
    other = msgspec.json.encode({**msgspec.json.decode(text.text), "account_id": "mine"}).decode()
    with pytest.raises(RefusedError, match="found credentials that say something else"):
        anywhere.store.reseal(PLATFORMS, [text.resealed(other)])
    assert text in anywhere.texts()


def test_a_row_that_changed_meanwhile_is_left_as_it_is(anywhere: Vault) -> None:
    (text,) = [each for each in anywhere.texts() if each.table is PLATFORMS and each.key == uuid(2)]
    fresh = msgspec.json.encode(seal_platform(sent(2), anywhere.keyset)["credentials"], order="sorted").decode()
    assert anywhere.store.reseal(PLATFORMS, [Resealed(text.place, text.user_id, fresh, text.text)]) == 0
    assert anywhere.store.reseal(PLATFORMS, [Resealed(text.place, BEN, text.text, fresh)]) == 0
    assert text in anywhere.texts()


def test_retired_keys_do_not_come_back_with_an_old_file(on_files: Vault) -> None:
    """A keyset restored from before a rotation opens nothing of what was sealed since, and says which key it lacks."""
    old = on_files.keyset
    on_files.rotate()
    settings = on_files.settings
    save_keyset(replace(old), path=settings.keyset, data_dir=settings.data_dir)
    assert {each.problem.code for each in on_files.counted().unopened} == {"unknown_key"}
