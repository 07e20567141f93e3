"""Rules over several rows, over the index, and over other tables; the same for every backend."""

import dagster as dg
import polars as pl

from audience_pipeline.checks.context import Subject
from audience_pipeline.checks.outcome import Outcome, counted
from audience_pipeline.storage.contract import Placement
from audience_pipeline.storage.months import MONTH, with_month
from audience_pipeline.tables import TABLES, Reference, Table

_BATCH = 10_000


def unique_key(subject: Subject) -> Outcome:
    """No key is there twice: not in these rows, and not elsewhere, since the index knows each at its one place."""
    table = subject.table
    known = _placements(subject, table, subject.rows[table.key].to_list())
    failures = [
        {table.key: key, "user_id": user, "month": month, "found": found}
        for key, user, month, repeated in _keyed(subject).iter_rows()
        if (found := _found(known.get(key), user, month, repeated=repeated))
    ]
    return counted(f"repeat a {table.key}, or are not what the index has", len(subject.rows), len(failures), failures)


def references(subject: Subject) -> Outcome:
    """Every audience and platform a row refers to exists, for the same user."""
    missing = [failure for reference in subject.table.references for failure in _missing(subject, reference)]
    failed = len({failure[subject.table.key] for failure in missing})
    return counted("refer to what their user does not have", len(subject.rows), failed, missing)


def refusals(subject: Subject) -> Outcome:
    """The last materialization stored every row; a row the store refused is in quarantine, with its reason."""
    event = subject.instance.get_latest_materialization_event(dg.AssetKey(subject.table.name))
    reported = event.asset_materialization.metadata if event and event.asset_materialization else {}
    refused = reported.get("refused")
    count = refused.value if isinstance(refused, dg.IntMetadataValue) else 0
    shown = {"refused rows": reported["refused rows"]} if "refused rows" in reported else {}
    summary = f"{count} rows were refused at the last materialization"
    return Outcome(count == 0, summary, {"rows refused": count, **shown}, dg.AssetCheckSeverity.WARN)


def _missing(subject: Subject, reference: Reference) -> list[dict[str, object]]:
    """Absent and foreign read the same: the index is asked for the id, and the user compared."""
    table = TABLES[reference.table]
    pairs = subject.rows.select(subject.table.key, "user_id", reference.column)
    known = _placements(subject, table, pairs[reference.column].unique().to_list())
    expected = f"one of the user's {table.name}"
    return [
        {subject.table.key: key, "column": reference.column, "found": wanted, "expected": expected}
        for key, user, wanted in pairs.iter_rows()
        if wanted not in known or known[wanted].user_id != user
    ]


def _placements(subject: Subject, table: Table, keys: list[str]) -> dict[str, Placement]:
    known: dict[str, Placement] = {}
    for start in range(0, len(keys), _BATCH):
        known |= subject.store.placements(table, keys[start : start + _BATCH])
    return known


def _keyed(subject: Subject) -> pl.DataFrame:
    """Return each row's key, user, month (0 without months), and whether the key is there more than once."""
    table = subject.table
    frame = with_month(table, subject.rows)
    repeated = frame[table.key].is_duplicated().alias("_repeated")
    return frame.select(table.key, frame["user_id"].alias("_user"), MONTH, repeated)


def _found(place: Placement | None, user: str, month: int, *, repeated: bool) -> str | None:
    """Say what is wrong with a row's key, or None."""
    if repeated:
        return "the key more than once"
    if place is None:
        return "no entry in the index"
    if (place.user_id, place.month) != (user, month):
        return f"the key also in month {place.month}" if place.user_id == user else "the key with another user"
    return "the key in the archive too" if place.archived else None
