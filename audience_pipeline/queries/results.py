"""What DuckDB answers to a statement, as Arrow.

Belongs here: types Arrow does not have, names that come twice, columns of JSON. Does not belong here: which statement.
"""

import itertools
from typing import TYPE_CHECKING

import duckdb

from audience_pipeline.storage.parquet.duck import ROWS_AT_ONCE, reader_of

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb.sqltypes import DuckDBPyType

_WITHOUT_ARROW = {"bit", "uhugeint", "bignum", "time with time zone", "time_ns", "variant", "geometry"}
_NESTED = {"list", "array", "struct", "map", "union"}


class TooLargeError(Exception):
    """An answer has more bytes than it may have."""


def answer_to(
    connection: duckdb.DuckDBPyConnection, statement: str, *, at_most: int | None = None
) -> "tuple[pa.Table, frozenset[str]]":
    """Run one statement that reads; return its rows, and the names of the columns that hold JSON.

    Of columns with one name, as a join gives, the later ones are numbered: ``name``, ``name_1``. Columns of types that
    Arrow does not have are DuckDB's text of them.

    Raises:
        duckdb.Error: the statement is wrong, or fails.
        TooLargeError: the rows come to more than ``at_most`` bytes.
    """
    columns = connection.execute(statement).description
    names, kinds = _distinct([column[0] for column in columns]), [column[1] for column in columns]
    json_columns = frozenset(name for name, kind in zip(names, kinds, strict=True) if str(kind) == "JSON")
    try:
        reader = _texts(connection, statement, odd) if any(odd := list(map(_is_odd, kinds))) else reader_of(connection)
        return _read(reader, at_most).rename_columns(names), json_columns
    finally:
        # What is not read to its end would keep the connection busy.
        connection.abort()


def _texts(connection: duckdb.DuckDBPyConnection, statement: str, odd: list[bool]) -> "pa.RecordBatchReader":
    """Run the statement again with columns cast to text that Arrow would round, cut or show as bytes."""
    connection.abort()
    columns = (f"CAST(#{number} AS VARCHAR)" if cast else f"#{number}" for number, cast in enumerate(odd, 1))
    return connection.sql(statement).project(", ".join(columns)).to_arrow_reader(ROWS_AT_ONCE)


def _read(reader: "pa.RecordBatchReader", at_most: int | None) -> "pa.Table":
    import pyarrow as pa  # noqa: PLC0415 - only where rows are read

    batches, size = [], 0
    for batch in reader:
        size += batch.nbytes
        if at_most is not None and size > at_most:
            raise TooLargeError
        batches.append(batch)
    return pa.Table.from_batches(batches, reader.schema)


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
