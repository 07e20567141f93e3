"""The declared shapes with some of their member types replaced, for decoders that need more speed or less typing.

Belongs here: how a type is rewritten, and the bounded stand-in for free JSON. Does not belong here: the shapes.

msgspec checks a bounded type while it decodes, in C; what :data:`BOUNDED` accepts needs no second look in Python.
Free JSON that it refuses is not wrong, only unusual: deeper than three levels, or with integers beyond 64 bits.
"""

import functools
import operator
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias, get_args, get_origin

import msgspec

_Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_Scalar: TypeAlias = bool | _Int64 | float | str | None
_Level1: TypeAlias = _Scalar | list[_Scalar] | dict[str, _Scalar]
_Level2: TypeAlias = _Scalar | list[_Level1] | dict[str, _Level1]
BOUNDED: Any = _Scalar | list[_Level2] | dict[str, _Level2]
"""Free JSON of at most three levels and 64-bit integers."""


def rewritten(kind: Any, instead: Mapping[Any, Any], *, tells_null: bool = False) -> Any:  # noqa: ANN401 - a type
    """Return ``kind``, a type as msgspec takes it, with every type that ``instead`` names replaced, in structs too.

    A struct that ``tells_null`` keeps a member that is null apart from one that is absent (msgspec.UNSET), itself and
    not further inside.
    """
    if kind in instead:
        return instead[kind]
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _struct(kind, instead, tells_null=tells_null)
    origin, parts = get_origin(kind), get_args(kind)
    if origin is None or origin is Literal:
        return kind
    if origin is Annotated:
        return Annotated[(rewritten(parts[0], instead), *parts[1:])]
    parts = tuple(rewritten(part, instead) for part in parts)
    if origin in (list, dict):
        return origin[parts]
    return functools.reduce(operator.or_, parts)


def _struct(kind: type[msgspec.Struct], instead: Mapping[Any, Any], *, tells_null: bool) -> type[msgspec.Struct]:
    fields: list[Any] = []
    for each in msgspec.structs.fields(kind):
        part = rewritten(each.type, instead)
        if each.required:
            fields.append((each.name, part))
        elif tells_null:
            fields.append((each.name, part | msgspec.UnsetType, msgspec.UNSET))
        else:
            fields.append((each.name, part, each.default))
    return msgspec.defstruct(kind.__name__, fields, forbid_unknown_fields=True, omit_defaults=True, kw_only=True)
