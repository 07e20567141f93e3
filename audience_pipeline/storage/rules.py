"""Which row wins: the rules of an upsert, in bulk, the same for every backend.

Belongs here: newest wins, ties, immutable columns, engine-owned columns, closed rows. Does not belong here: where rows
are stored, or whether a single record is well formed (landing decides that).

Every key has a *base*: its stored row, or else the first of the incoming rows, which claims the key. The other rows are
held against the base. The winner gives the application-owned columns, the base the engine-owned ones; so one batch and
the same records one by one give the same table.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from audience_pipeline.storage.contract import Verdict
from audience_pipeline.storage.refusals import closed_problem, first_status_problem, immutable_problem
from audience_pipeline.tables import POSITION, Column, Owner, Problem, Table
from audience_pipeline.tables.canonical import application_digests, comparable, merged_members
from audience_pipeline.tables.declaration import Lift

ROW = "_row"
_BASE = "_base"


@dataclass(frozen=True, slots=True)
class Merge:
    """What an upsert of one batch comes to.

    ``rows`` are the full rows to write. ``verdicts`` has a verdict for each incoming row by its ``_row``, ``problems``
    the reason of each refused one. ``positions`` is the newest landed position of the content a key has, where it rose.
    """

    rows: pl.DataFrame
    verdicts: Mapping[int, Verdict]
    problems: Mapping[int, Problem]
    positions: Mapping[str, int]


def merge(table: Table, incoming: pl.DataFrame, stored: pl.DataFrame) -> Merge:
    """Hold ``incoming`` (the table's columns, ``_row``, ``landed_position``) against ``stored`` (also with positions).

    ``stored`` has at most one row a key and may hold rows of other keys.
    """
    if not stored.is_empty():
        stored = stored.join(incoming.select(table.key), on=table.key, how="semi")
    problems = _inadmissible(table, incoming, stored)
    incoming = _keep(incoming, problems)
    if stored.is_empty() and not incoming[table.key].is_duplicated().any():
        verdicts = dict.fromkeys(incoming[ROW], Verdict.INSERTED) | dict.fromkeys(problems, Verdict.REFUSED)
        return Merge(incoming, verdicts, problems, dict(incoming.select(table.key, POSITION).iter_rows()))
    held = _against_base(table, _measured(table, incoming), _measured(table, stored))
    problems |= {row: _moved(table, found) for row, found in _rows(held.filter("_moved"))}
    held = _keep(held, problems)
    problems |= _closed(table, held.filter("_beats"))
    return _settle(table, _keep(held, problems), problems)


def _keep(frame: pl.DataFrame, problems: Mapping[int, Problem]) -> pl.DataFrame:
    return frame.filter(~pl.col(ROW).is_in(list(problems))) if problems else frame


def _rows(frame: pl.DataFrame) -> Iterator[tuple[int, dict[str, Any]]]:
    return ((found[ROW], found) for found in frame.iter_rows(named=True))


def _inadmissible(table: Table, incoming: pl.DataFrame, stored: pl.DataFrame) -> dict[int, Problem]:
    """Refuse rows whose status may not start a key; where the key is stored, its base decides instead."""
    if not table.insert_statuses:
        return {}
    found = incoming.filter(~pl.col("status").is_in(list(table.insert_statuses)))
    if found.is_empty():
        return {}
    found = found.join(stored.select(table.key), on=table.key, how="anti")
    return {row: first_status_problem(table, status) for row, status in found.select(ROW, "status").iter_rows()}


def version_of(table: Table) -> pl.Expr:
    """Return the version as a timestamp in ms named ``_version``, null where a record has none."""
    if table.version is None:
        return pl.lit(None, pl.Datetime("ms")).alias("_version")
    column, _, member = table.version.partition(".")
    if not member:
        return pl.col(column).alias("_version")
    text = pl.col(column).str.json_path_match(f"$.{member}").str.strip_suffix("Z")
    return text.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="ms").alias("_version")


def _measured(table: Table, frame: pl.DataFrame) -> pl.DataFrame:
    """Add the version and the digest content is compared by."""
    digests = application_digests(table, frame.select(table.column_names).to_arrow())
    return frame.with_columns(version_of(table), pl.Series("_digest", [digest.hex() for digest in digests], pl.String))


def _against_base(table: Table, incoming: pl.DataFrame, stored: pl.DataFrame) -> pl.DataFrame:
    """Join each incoming row with its key's base and say whether it moves the row, and whether it beats it."""
    claims = incoming.lazy().join(stored.lazy(), on=table.key, how="anti").sort(POSITION, ROW)
    claims = claims.unique(table.key, keep="first", maintain_order=True)
    base = pl.concat([stored.lazy(), claims], how="diagonal_relaxed")
    held = incoming.lazy().join(base, on=table.key, how="left", suffix=_BASE)
    position, version, digest = (pl.col(name) for name in (POSITION, "_version", "_digest"))
    base_position, base_version, base_digest = (pl.col(name + _BASE) for name in (POSITION, "_version", "_digest"))
    unversioned = version.is_null() & base_version.is_null()
    newer = (version > base_version) | (version.is_not_null() & base_version.is_null())
    newer = newer.fill_null(value=False) | (unversioned & (position > base_position))
    tie = (version == base_version).fill_null(value=False) | (unversioned & (position == base_position))
    moved = [pl.col(name).ne_missing(pl.col(name + _BASE)) for name in table.immutable]
    return held.with_columns(
        (newer | tie & (digest > base_digest)).alias("_outranks"),
        (newer & (digest != base_digest) | tie & (digest > base_digest)).alias("_beats"),
        pl.any_horizontal(moved or [pl.lit(value=False)]).alias("_moved"),
    ).collect(engine="in-memory")


def _moved(table: Table, found: Mapping[str, Any]) -> Problem:
    """Name the first column that never changes and yet would; another tenant's values are not repeated."""
    name = next(name for name in table.immutable if found[name] != found[name + _BASE])
    return immutable_problem(table, name, found[name], found[name + _BASE])


def _closed(table: Table, beating: pl.DataFrame) -> dict[int, Problem]:
    """Refuse changes to rows the engine has taken over, and changes of status that only the engine makes."""
    status = table.open_status
    if status is None:
        return {}
    shut = beating.filter((pl.col("status") != status) | (pl.col("status" + _BASE) != status))
    return {row: closed_problem(status, found["status"], found["status" + _BASE]) for row, found in _rows(shut)}


def _settle(table: Table, held: pl.DataFrame, problems: Mapping[int, Problem]) -> Merge:
    """Pick each key's winner, and give every row its verdict.

    The newest may say again what the base says, after others that said something else: then nothing is to be written.
    """
    rank = pl.when(pl.col("_version").is_null()).then(POSITION).alias("_rank")
    ranked = (
        held.lazy().filter("_outranks").with_columns(rank).sort("_version", "_rank", "_digest", ROW, nulls_last=False)
    )
    newest = ranked.group_by(table.key).agg(pl.col(ROW, "_digest", "_beats").last()).filter("_beats")
    winner = newest.select(table.key, pl.col(ROW).alias("_winner"), pl.col("_digest").alias("_won"))
    final = pl.coalesce("_won", "_digest" + _BASE)
    wins = (pl.col(ROW) == pl.coalesce("_winner", ROW + _BASE)).fill_null(value=False)
    verdict = (
        pl.when(wins & pl.col(ROW + _BASE).is_null())
        .then(pl.lit(Verdict.UPDATED))
        .when(wins)
        .then(pl.lit(Verdict.INSERTED))
        .when(pl.col("_digest") == final)
        .then(pl.lit(Verdict.UNCHANGED))
        .otherwise(pl.lit(Verdict.STALE))
    )
    joined = held.lazy().join(winner, on=table.key, how="left", maintain_order="left")
    settled = joined.with_columns(verdict.alias("_verdict"), (pl.col("_digest") == final).alias("_holds")).collect(
        engine="in-memory"
    )
    verdicts = {row: Verdict(name) for row, name in settled.select(ROW, "_verdict").iter_rows()}
    verdicts |= dict.fromkeys(problems, Verdict.REFUSED)
    written = settled.filter(pl.col("_verdict").is_in([Verdict.INSERTED, Verdict.UPDATED]))
    return Merge(_composed(table, written), verdicts, problems, _positions(table, settled))


def _composed(table: Table, written: pl.DataFrame) -> pl.DataFrame:
    """Compose the rows to write: the winner's application-owned columns on the base's engine-owned ones."""
    columns: list[pl.Expr | pl.Series] = [pl.col(ROW), pl.col(POSITION), pl.col(table.key)]
    for column in table.columns:
        if column.name == table.key:
            continue
        if column.engine_members:
            columns.append(_merged(column, written))
        elif column.lift:
            columns.append(_lifted(table, column, column.lift, written))
        else:
            engine = column.owner is Owner.ENGINE
            columns.append(pl.col(column.name + _BASE).alias(column.name) if engine else pl.col(column.name))
    return written.select(columns)


def _merged(column: Column, written: pl.DataFrame) -> pl.Series:
    pairs = zip(written[column.name], written[column.name + _BASE], strict=True)
    return pl.Series(column.name, [merged_members(column, text, base) for text, base in pairs], pl.String)


def _lifted(table: Table, column: Column, lift: Lift, written: pl.DataFrame) -> pl.Series:
    """Return an engine-owned column of stored rows, its value ended where other content came."""
    source, stored = table.by_name[lift.column], written[column.name + _BASE]
    pairs = zip(written[lift.column], written[lift.column + _BASE], written[ROW + _BASE], stored, strict=True)
    ended = [
        lift.instead
        if value == lift.value and base_row is None and comparable(source, text) != comparable(source, base)
        else value
        for text, base, base_row, value in pairs
    ]
    return pl.Series(column.name, ended, pl.String)


def _positions(table: Table, settled: pl.DataFrame) -> dict[str, int]:
    """Return the newest position of the content each key holds, where it is newer than the one on record."""
    newer = (pl.col(POSITION) > pl.col(POSITION + _BASE)) | pl.col(ROW + _BASE).is_not_null()
    found = settled.lazy().filter(pl.col("_holds") & newer).group_by(table.key).agg(pl.col(POSITION).max())
    return dict(found.collect(engine="in-memory").iter_rows())
