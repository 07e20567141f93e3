"""Key rotation: a new key seals from now on, every sealed row is brought under it, and the others are retired.

Belongs here: the order of these steps. Does not belong here: sealing, writing, or the care of the keyset's file.

The keyset's file is what says where a rotation stands, and nothing else is noted. While it has enabled keys beside the
primary one, a rotation is under way, and running it again goes on. Rows are found by the key they name and replaced
only where they still are as they were found, so ingests, deliveries and readers go on meanwhile. The other keys are
retired last, while nothing lands and once nothing is left under them that opens.

A row of the tables was under an enabled key when it was accepted, so keys that are retired by now open it here, too: a
writer that began before the end of an earlier rotation may have left one. What is in quarantine was not accepted, and
has no such claim.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce
from itertools import islice

import msgspec

from audience_pipeline.errors import ConflictError, UsageError
from audience_pipeline.ingest.quarantine import Quarantine
from audience_pipeline.ingest.secrets import configured_keyset, configured_service, has_secrets
from audience_pipeline.security import v1
from audience_pipeline.security.keyfile import exclusive
from audience_pipeline.security.keyset import (
    Keyset,
    save_keyset,
    with_new_key,
    with_others_enabled,
    with_others_retired,
)
from audience_pipeline.security.resealing import replacements
from audience_pipeline.settings import Settings, variable
from audience_pipeline.storage.audit import Entry, record
from audience_pipeline.storage.contract import TableStore
from audience_pipeline.storage.resealing import SealedText, sealed_texts
from audience_pipeline.tables import SOURCES, Problem

ROWS_AT_ONCE = 500
QUARANTINE = "quarantine"
_PASSES = 20
_WITH_SECRETS = tuple(table for table in SOURCES if has_secrets(table))


@dataclass(slots=True)
class Rotated:
    """What a rotation came to: the key that seals, those it retired, how many texts it resealed in each table.

    ``left`` are rows that do not open under any key, and so did not before, each as "<table> <row>", with the reason.
    """

    key: str
    retired: tuple[str, ...] = ()
    resealed: Counter[str] = field(default_factory=Counter)
    left: dict[str, Problem] = field(default_factory=dict)


class Rotation:
    """One rotation, begun or gone on with; ``progress`` is told of what it came to so far, after each portion."""

    def __init__(
        self,
        store: TableStore,
        settings: Settings,
        clock: Callable[[], datetime],
        actor: str,
        progress: Callable[[Rotated], None] = lambda _: None,
    ) -> None:
        if settings.keyset_json is not None:
            raise UsageError(
                variable("keyset_json"),
                found="the keyset in the environment, which this process cannot change",
                expected="a keyset in a file",
                remedy=f"Put it into the file {variable('keyset')} names, unset the variable, rotate, and then set it"
                " to the file's new content for every process.",
            )
        self._store, self._settings, self._progress = store, settings, progress
        self._quarantine = Quarantine(settings.quarantine_dir)
        self._at, self._actor = clock(), actor
        self._told: set[str] = set()

    def run(self) -> Rotated:
        """Rotate to the end.

        Raises:
            ConflictError: another rotation runs, or rows under other keys keep coming.
            SettingsError: the keyset cannot be used.
            StorageError: something cannot be read or written; running it again goes on.
        """
        with exclusive(self._settings.keyset):
            keyset = self._begun()
            rotated = Rotated(keyset.primary)
            self._pass(keyset, rotated)
            with ExitStack() as held:
                for table in _WITH_SECRETS:
                    held.enter_context(self._store.landing_lock(table))
                self._finish(keyset, rotated)
                self._save(with_others_retired(keyset))
            rotated.retired = _others(keyset)
        return rotated

    def _begun(self) -> Keyset:
        """Return the keyset of the rotation that is under way, or that of a new one."""
        keyset = configured_keyset(self._settings)
        if not _others(keyset):
            keyset = with_new_key(keyset)
            self._save(keyset)
        return keyset

    def _save(self, keyset: Keyset) -> None:
        settings = self._settings
        save_keyset(keyset, path=settings.keyset, data_dir=settings.data_dir, service=configured_service(settings))

    def _finish(self, keyset: Keyset, rotated: Rotated) -> None:
        for _ in range(_PASSES):
            if not self._pass(keyset, rotated):
                return
        raise ConflictError(
            object="credentials",
            found=f"rows under older keys, also after {_PASSES} passes",
            expected="no writer that began before the rotation",
            remedy="Run it again when those have ended; older keys open their rows until then.",
        )

    def _pass(self, keyset: Keyset, rotated: Rotated) -> int:
        """Reseal what is under other keys; return how many rows and records that was."""
        before = rotated.resealed.total()
        for table in _WITH_SECRETS:
            for texts in sealed_texts(self._store, table):
                stale = _stale(texts, keyset, rotated)
                while portion := list(islice(stale, ROWS_AT_ONCE)):
                    self._replace(portion, rotated)
            rotated.resealed[QUARANTINE] += self._quarantine.rewrite(table.name, lambda kept: _renewed(kept, keyset))
        return rotated.resealed.total() - before

    def _replace(self, stale: Sequence[tuple[SealedText, str]], rotated: Rotated) -> None:
        """Replace texts of one table, once the audit log tells their tenants, each of them once."""
        users = sorted({each.user_id for each, _ in stale} - self._told)
        record(self._store, (Entry(user, self._at, "rotate", self._actor, f"key {rotated.key}") for user in users))
        self._told.update(users)
        table = stale[0][0].table
        rotated.resealed[table.name] += self._store.reseal(table, [each.resealed(text) for each, text in stale])
        self._progress(rotated)


def _others(keyset: Keyset) -> tuple[str, ...]:
    return tuple(key.id for key in keyset.keys if key.status == "enabled" and key.id != keyset.primary)


def _stale(texts: Iterable[SealedText], keyset: Keyset, rotated: Rotated) -> Iterator[tuple[SealedText, str]]:
    """Yield the texts that are under other keys, with what replaces them; note those that do not open."""
    opening = with_others_enabled(keyset)
    for each in texts:
        owner = v1.Owner(each.user_id, each.key)
        found = replacements(msgspec.json.decode(each.text), owner, opening=opening, keyset=keyset)
        if isinstance(found, Problem):
            rotated.left[f"{each.table.name} {each.place} of user {each.user_id}"] = found
        elif found:
            yield each, reduce(lambda text, pair: text.replace(*pair), found.items(), each.text)


def _renewed(kept: bytes, keyset: Keyset) -> bytes:
    """Return a quarantined record with its secrets under the key that seals, or as it is where they do not open."""
    try:
        record = msgspec.json.decode(kept)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return kept
    if not isinstance(record, dict) or not isinstance(record.get("credentials"), dict):
        return kept
    user_id, platform_id = record.get("user_id"), record.get("platform_id")
    if not isinstance(user_id, str) or not isinstance(platform_id, str):
        return kept
    found = replacements(record["credentials"], v1.Owner(user_id, platform_id), opening=keyset, keyset=keyset)
    if isinstance(found, Problem):
        return kept
    return reduce(lambda text, pair: text.replace(pair[0].encode(), pair[1].encode()), found.items(), kept)
