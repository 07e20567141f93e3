"""What a DuckDB relation holds, as Arrow.

Belongs here: types Arrow does not have, names that come twice, columns of JSON. Does not belong here: which statement.
"""

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import duckdb

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb.sqltypes import DuckDBPyType

_WITHOUT_ARROW = {"bit", "uhugeint", "bignum", "time with time zone", "time_ns", "variant", "geometry"}
_NESTED = {"list", "array", "struct", "map", "union"}


_ROWS_AT_ONCE = 100_000


class TooLargeError(Exception):
    """An answer has more bytes than it may have."""


def rows_of(found: duckdb.DuckDBPyRelation, *, at_most: int | None = None) -> "tuple[pa.Table, frozenset[str]]":
    """Return the rows of a relation, and the names of the columns that hold JSON.

    Of columns with one name, as a join gives, the later ones are numbered: ``name``, ``name_1``. Columns of types that
    Arrow does not have are DuckDB's text of them.

    Raises:
        TooLargeError: they come to more than ``at_most`` bytes.
    """
    names, kinds = _distinct(found.columns), found.types
    json_columns = frozenset(name for name, kind in zip(names, kinds, strict=True) if str(kind) == "JSON")
    reader = _expressible(found, kinds).to_arrow_reader(_ROWS_AT_ONCE)
    return _read(reader, at_most).rename_columns(names), json_columns


def _read(reader: "pa.RecordBatchReader", at_most: int | None) -> "pa.Table":
    import pyarrow as pa  # noqa: PLC0415 - only where rows are read

    batches, size = [], 0
    for batch in reader:
        size += batch.nbytes
        if at_most is not None and size > at_most:
            raise TooLargeError
        batches.append(batch)
    return pa.Table.from_batches(batches, reader.schema)


def _expressible(found: duckdb.DuckDBPyRelation, kinds: Sequence["DuckDBPyType"]) -> duckdb.DuckDBPyRelation:
    """Cast columns to text that Arrow would round, cut or show as bytes."""
    odd = [_is_odd(kind) for kind in kinds]
    if not any(odd):
        return found
    return found.project(", ".join(f"CAST(#{n} AS VARCHAR)" if cast else f"#{n}" for n, cast in enumerate(odd, 1)))


def _is_odd(kind: "DuckDBPyType") -> bool:
    """Return whether Arrow has no type for ``kind`` or for something in it."""
    parts = [part for _, part in kind.children if not isinstance(part, int | list)] if kind.id in _NESTED else []
    return kind.id in _WITHOUT_ARROW or any(map(_is_odd, parts))


def _distinct(names: list[str]) -> list[str]:
    """Number the names that were there before, as DuckDB does in a subquery."""
    taken = set(names)
    found: list[str] = []
    for name in names:
        free = (f"{name}_{number}" for number in itertools.count(1) if f"{name}_{number}" not in taken)
        found.append(name if name not in found else next(free))
        taken.add(found[-1])
    return found
