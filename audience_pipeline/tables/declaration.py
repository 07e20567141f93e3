"""How a table is declared: columns, key, version, month, clustering, references, and who owns what.

Belongs here: the vocabulary of a declaration and the questions other layers ask it. Does not belong here: any
particular table, any backend's code, any I/O.

Each fact about a table is a field of its declaration; schemas, models, DDL, views, checks and docs are derived.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cached_property
from typing import Any

from audience_pipeline.tables.types import LogicalType


class Owner(Enum):
    """Who writes a column of an existing row: the application through landing, or the engine."""

    APPLICATION = "application"
    ENGINE = "engine"


class Format(Enum):
    """A syntactic rule for a string column."""

    UUID = "a UUID"
    SNAKE = "lower_snake_case"


class Layout(Enum):
    """How a table is cut into partitions.

    ``USER``: one file a user (and month of ``created_at``, where the table goes by month), replaced as a whole.
    ``LANDED``: append-only parts (in a directory a month, where the table goes by month).
    ``STATE``: not at all; a store's bookkeeping.
    """

    USER = "user"
    LANDED = "landed"
    STATE = "state"


@dataclass(frozen=True, slots=True)
class Lift:
    """A value of an engine-owned column that ends when the application changes what another column is compared by.

    A stored ``value`` becomes ``instead`` in the row that brings other content of the JSON column ``column``.
    """

    column: str
    value: str
    instead: str


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    ``shape`` is the type (for msgspec) of a JSON column as the application may land it; ``stored_shape`` the superset
    the engine writes, where it differs. ``engine_members`` are the members of an application-owned JSON column that
    only the engine changes. ``compared_by`` names the members that stand for the whole when content is compared (a
    sealed text differs at each sealing, its fingerprint does not). ``lift`` says when a landed record ends what the
    engine wrote. What is ``impersonal`` may name no person.
    """

    name: str
    type: LogicalType
    doc: str
    required: bool = False
    values: tuple[str, ...] = ()
    format: Format | None = None
    minimum: int | None = None
    shape: Any = None
    stored_shape: Any = None
    owner: Owner = Owner.APPLICATION
    engine_members: tuple[str, ...] = ()
    compared_by: tuple[str, ...] = ()
    lift: Lift | None = None
    immutable: bool = False
    secret: bool = False
    impersonal: bool = False

    @property
    def json_type(self) -> Any:  # noqa: ANN401 - msgspec takes any type expression
        """The msgspec type of what may be stored in this JSON column."""
        return self.stored_shape if self.stored_shape is not None else self.shape


@dataclass(frozen=True, slots=True)
class Reference:
    """``column`` names a key of ``table`` that must exist for the same user."""

    column: str
    table: str


@dataclass(frozen=True, slots=True)
class Agenda:
    """What makes a row one that the engine has to look at; moments are dotted paths of timestamps.

    A row in an ``open`` status is due from the latest of ``created_at`` and the moments in ``due``, those that are
    there. ``later`` puts off only who looks unattended; a row in another status is looked at because of it alone.
    """

    open: tuple[str, ...]
    due: tuple[str, ...]
    later: str


@dataclass(frozen=True)
class Table:
    """One table, declared once.

    ``version`` is the dotted path of the timestamp that says which of two records is newer, or None. ``open_status``
    is the one status in which the application may still change an existing row, or None where it always may.
    ``by_month`` says whether the month of ``created_at`` is part of a row's place, ``compact`` whether files are to be
    small rather than quick to write.
    ``check`` is the rule over several members of one landed record (by column, JSON columns as their shapes; problems
    out).
    """

    name: str
    doc: str
    key: str
    columns: tuple[Column, ...]
    layout: Layout
    version: str | None = None
    cluster_by: tuple[str, ...] = ()
    references: tuple[Reference, ...] = ()
    open_status: str | None = None
    insert_statuses: tuple[str, ...] = ()
    archive: str | None = None
    agenda: Agenda | None = None
    by_month: bool = False
    compact: bool = False
    check: Callable[[dict[str, Any]], "list[Problem]"] | None = field(default=None, compare=False)

    @cached_property
    def by_name(self) -> dict[str, Column]:
        """Columns by name, in declared order."""
        return {column.name: column for column in self.columns}

    @cached_property
    def column_names(self) -> tuple[str, ...]:
        """Column names in declared order, which is the documented order."""
        return tuple(self.by_name)

    @property
    def immutable(self) -> tuple[str, ...]:
        """Columns that never change once a row exists (the key itself is not listed)."""
        return tuple(column.name for column in self.columns if column.immutable)

    def of_type(self, kind: LogicalType) -> tuple[Column, ...]:
        """Return the columns of one logical type, in order."""
        return tuple(column for column in self.columns if column.type is kind)

    def owned_by(self, owner: Owner) -> tuple[Column, ...]:
        """Return the columns that ``owner`` writes, in order."""
        return tuple(column for column in self.columns if column.owner is owner)

    def without(self, *names: str) -> tuple[Column, ...]:
        """Return the columns except those named."""
        return tuple(column for column in self.columns if column.name not in names)

    def extended(self, name: str, doc: str, *extra: Column, **changes: Any) -> "Table":  # noqa: ANN401 - as dataclasses.replace
        """Return a table of the same columns plus ``extra``, under another name."""
        return replace(self, name=name, doc=doc, columns=self.columns + extra, **changes)


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason why a record is refused: where, what was found, what was expected, what to do."""

    field: str
    code: str
    found: str
    expected: str
    remedy: str
