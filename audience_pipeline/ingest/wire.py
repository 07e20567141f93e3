"""What one landed line may be, as msgspec types derived from a table's declaration.

Belongs here: the derivation. Does not belong here: rules a type cannot say (:mod:`.rules`).

Times stay text, since msgspec rounds what must be cut and knows fewer forms of ISO 8601. The *bounded* type is the one
of the fast path; the other differs in free JSON only, which may be anything there.
"""

from datetime import datetime
from functools import cache
from typing import Annotated, Any, Literal

import msgspec

from audience_pipeline.tables import Column, LogicalType, Table
from audience_pipeline.tables.rewriting import BOUNDED, rewritten

_TIME = Annotated[str, msgspec.Meta(description="an ISO 8601 time such as 2025-05-31T12:00:00Z")]


@cache
def wire_type(table: Table, *, bounded: bool) -> type[msgspec.Struct]:
    """Return the struct of one record of ``table``: required members without a default, all others UNSET by default."""
    fields: list[Any] = []
    for column in table.columns:
        kind = _type(column, bounded=bounded)
        optional = (column.name, kind | None | msgspec.UnsetType, msgspec.UNSET)
        fields.append((column.name, kind) if column.required else optional)
    return msgspec.defstruct(table.name, fields, forbid_unknown_fields=True, kw_only=True)


def _type(column: Column, *, bounded: bool) -> Any:  # noqa: ANN401 - types, as msgspec takes them
    match column.type:
        case LogicalType.STRING:
            return Literal[column.values] if column.values else str
        case LogicalType.TIMESTAMP:
            return _TIME
        case LogicalType.INT64:
            least = -(2**63) if column.minimum is None else column.minimum
            return Annotated[int, msgspec.Meta(ge=least, le=2**63 - 1)]
        case LogicalType.STRINGS:
            return list[str]
        case LogicalType.JSON:
            return json_type(column, bounded=bounded, tells_null=bounded)


def json_type(column: Column, *, bounded: bool, tells_null: bool = False) -> Any:  # noqa: ANN401 - a type
    """Return the type of a JSON column; ``tells_null`` as in :func:`audience_pipeline.tables.rewriting.rewritten`."""
    instead = {Any: BOUNDED, datetime: _TIME} if bounded else {datetime: _TIME}
    return rewritten(column.shape, instead, tells_null=tells_null)
