"""Upsert into partition files: cost follows the change, and a kill at any instant is finished by running again.

Order of steps, under the partitions' locks: the index says where keys are; keys placed elsewhere are refused; new keys
are reserved and the partitions marked pending (one commit); rows are merged in bulk; changed partitions are staged,
synced, renamed; the index is told (one commit). Large frames go in chunks of partitions, so that memory and the number
of locks stay bounded; a key's rows are always in one chunk.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

import polars as pl

from audience_pipeline.errors import ConflictError
from audience_pipeline.storage.archives import index_of
from audience_pipeline.storage.contract import Placement, Refusal, UpsertResult, Verdict
from audience_pipeline.storage.months import MONTH, with_month
from audience_pipeline.storage.parquet.core import Core
from audience_pipeline.storage.parquet.layout import Partition
from audience_pipeline.storage.refusals import archived_problem, immutable_problem, other_month_problem
from audience_pipeline.storage.rules import ROW, Merge, merge
from audience_pipeline.tables import POSITION, Problem, Table

CHUNK_PARTITIONS = 2_000
CHUNK_ROWS = 200_000
_ATTEMPTS = 20


def upsert(core: Core, table: Table, frame: pl.DataFrame) -> UpsertResult:
    """Upsert a prepared frame: the table's columns, ``_row``, ``landed_position``, ``_month``."""
    result, kept = UpsertResult(), frame
    if rivals := _rivals(core, table, frame):
        result = _result(table, frame.filter(pl.col(ROW).is_in(list(rivals))), {}, rivals)
        kept = frame.filter(~pl.col(ROW).is_in(list(rivals)))
    for chunk in chunks(kept):
        result += _upsert_chunk(core, table, chunk)
    return result


def judge(core: Core, table: Table, frame: pl.DataFrame) -> list[tuple[Verdict, Problem | None]]:
    """Say what an upsert of a prepared frame would do with each row, in the order of ``_row``; writes nothing."""
    problems = _rivals(core, table, frame)
    verdicts: dict[int, Verdict] = {}
    for chunk in chunks(frame.filter(~pl.col(ROW).is_in(list(problems)))):
        merged, *_ = _merge(core, table, chunk)
        verdicts |= merged.verdicts
        problems |= merged.problems
    verdicts |= dict.fromkeys(problems, Verdict.REFUSED)
    return [(verdicts[row], problems.get(row)) for row in sorted(verdicts)]


def _upsert_chunk(core: Core, table: Table, chunk: pl.DataFrame) -> UpsertResult:
    index = index_of(table).name
    with core.hold(table, partitions_of(chunk)):
        for _ in range(_ATTEMPTS):
            merged, stored, known = _merge(core, table, chunk)
            written = with_month(table, merged.rows)
            if written.is_empty():
                if merged.positions:
                    core.state.commit(table.name, {}, index, merged.positions)
                break
            changed = partitions_of(written)
            new = {key: place for key, place in _places(table, written).items() if key not in known}
            if core.state.begin(table.name, changed, index, new, core.clock()):
                _write(core, table, written, stored, merged.positions)
                break
        else:
            raise _contended(table)
    return _result(table, chunk, merged.verdicts, merged.problems, written)


def _contended(table: Table) -> ConflictError:
    return ConflictError(
        table.name,
        found=f"keys reserved by other writers in each of {_ATTEMPTS} attempts",
        expected="keys that stay where the index says",
        remedy="Run again; nothing of these partitions was written.",
    )


def _merge(core: Core, table: Table, chunk: pl.DataFrame) -> tuple[Merge, pl.DataFrame, Mapping[str, Placement]]:
    """Merge a chunk with what is stored in its partitions; also return all rows of those partitions, and known keys."""
    keys = chunk[table.key].to_list()
    placements = _settled(core, table, keys)
    misplaced, ended = _misplaced(core, table, chunk, placements)
    kept = chunk.filter(~pl.col(ROW).is_in([*misplaced, *ended])) if misplaced or ended else chunk
    stored = core.rows(table, core.existing(table, partitions_of(kept)))
    positions = core.state.positions(index_of(table).name, keys) if not stored.is_empty() else {}
    known = pl.DataFrame({table.key: list(positions), POSITION: list(positions.values())}, _position_schema(table))
    held = stored.join(known, on=table.key, how="left").with_columns(pl.col(POSITION).fill_null(0))
    merged = merge(table, kept, held)
    verdicts = {**merged.verdicts, **dict.fromkeys(misplaced, Verdict.REFUSED), **dict.fromkeys(ended, Verdict.STALE)}
    return Merge(merged.rows, verdicts, {**merged.problems, **misplaced}, merged.positions), stored, placements


def _position_schema(table: Table) -> dict[str, type[pl.DataType]]:
    return {table.key: pl.String, POSITION: pl.Int64}


def _settled(core: Core, table: Table, keys: list[str]) -> dict[str, Placement]:
    """Return where keys live, once partitions whose writer died are re-indexed."""
    index = index_of(table).name
    placements = core.state.placements(index, keys)
    reserved = {Partition(place.user_id, place.month) for place in placements.values() if not place.placed}
    if reserved and core.recover_free(table, reserved):
        placements = core.state.placements(index, keys)
    return placements


def _misplaced(
    core: Core, table: Table, chunk: pl.DataFrame, placements: Mapping[str, Placement]
) -> tuple[dict[int, Problem], list[int]]:
    """Return rows whose key lives elsewhere with the reason, and replays of rows that are archived by now."""
    problems: dict[int, Problem] = {}
    ended: list[int] = []
    if index_of(table) is not table or not placements:
        return problems, ended
    archived = [key for key, place in placements.items() if place.archived]
    positions = core.state.positions(table.name, archived) if archived else {}
    for row, key, user_id, month, position in chunk.select(ROW, _key(table), "user_id", MONTH, POSITION).iter_rows():
        place = placements.get(key)
        if place is None:
            continue
        if place.user_id != user_id:
            problems[row] = immutable_problem(table, "user_id", user_id, place.user_id)
        elif place.archived and position <= positions[key]:
            ended.append(row)
        elif place.archived:
            problems[row] = archived_problem(table, key)
        elif place.month != month:
            problems[row] = other_month_problem(table, month, place.month)
    return problems, ended


def _rivals(core: Core, table: Table, frame: pl.DataFrame) -> dict[int, Problem]:
    """Refuse rows that put one key in two places: its stored place counts, else that of its first row."""
    place = pl.struct("user_id", MONTH)
    torn = (
        frame.filter(place.n_unique().over(table.key) > 1) if frame[table.key].is_duplicated().any() else frame.clear()
    )
    if torn.is_empty():
        return {}
    homes = core.state.placements(index_of(table).name, torn[table.key].unique().to_list())
    problems: dict[int, Problem] = {}
    for row, key, user_id, month in torn.sort(POSITION, ROW).select(ROW, _key(table), "user_id", MONTH).iter_rows():
        home = homes.setdefault(key, Placement(user_id, month, placed=False, archived=False))
        if home.user_id != user_id:
            problems[row] = immutable_problem(table, "user_id", user_id, home.user_id)
        elif home.month != month:
            problems[row] = other_month_problem(table, month, home.month)
    return problems


def _write(
    core: Core,
    table: Table,
    written: pl.DataFrame,
    stored: pl.DataFrame,
    positions: Mapping[str, int],
) -> None:
    """Replace the partitions of ``written`` and no other, each with the stored rows that stay."""
    kept = with_month(table, stored).join(written.select(table.key), on=table.key, how="anti")
    names = [*table.column_names, MONTH]
    kept = kept.join(written.select("user_id", MONTH).unique(), on=["user_id", MONTH], how="semi")
    placed = written[table.key].to_list()
    core.replace(table, kept.select(names), written.select(names), positions=positions, placed=placed)


def chunks(frame: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Cut a frame at partition borders into parts of bounded rows and partitions."""
    if frame.height <= CHUNK_PARTITIONS:
        if frame.height:
            yield frame
        return
    runs = frame.group_by("user_id", MONTH).len().sort("user_id", MONTH)
    number = pl.int_range(pl.len()) // CHUNK_PARTITIONS + pl.col("len").cum_sum() // CHUNK_ROWS
    numbered = frame.join(runs.select("user_id", MONTH, number.alias("_chunk")), on=["user_id", MONTH])
    yield from numbered.partition_by("_chunk", maintain_order=True, include_key=False)


def partitions_of(frame: pl.DataFrame) -> set[Partition]:
    """Return the partitions the rows of a frame belong in."""
    return {Partition(*place) for place in frame.select("user_id", MONTH).unique().iter_rows()}


def _key(table: Table) -> pl.Expr:
    """Return the key under a name of its own: the key of users is their user_id."""
    return pl.col(table.key).alias("_key")


def _places(table: Table, written: pl.DataFrame) -> dict[str, Partition]:
    places = written.select(_key(table), "user_id", MONTH)
    return {key: Partition(user, month) for key, user, month in places.iter_rows()}


def _result(
    table: Table,
    chunk: pl.DataFrame,
    verdicts: Mapping[int, Verdict],
    problems: Mapping[int, Problem],
    written: pl.DataFrame | None = None,
) -> UpsertResult:
    counts = Counter(verdicts.values())
    keys: Iterable[tuple[int, str]] = chunk.filter(pl.col(ROW).is_in(list(problems))).select(ROW, table.key).iter_rows()
    return UpsertResult(
        inserted=counts[Verdict.INSERTED],
        updated=counts[Verdict.UPDATED],
        unchanged=counts[Verdict.UNCHANGED],
        stale=counts[Verdict.STALE],
        refused=tuple(Refusal(row, key, problems[row]) for row, key in keys),
        months=frozenset(written[MONTH]) if written is not None else frozenset(),
    )
