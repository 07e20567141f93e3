"""Tables, views and row access policies for BigQuery, derived from the declarations as SQL.

Belongs here: the text of the files in sql/bigquery/. Does not belong here: running it.

Names stand there as in the requirement, `project.dataset.audiences`: whoever runs a file puts the names of the
installation for `project` and `dataset`. Views are in a dataset of their own, `dataset_views`, which alone is opened to
analysts; it is authorized to read the tables, so that nobody needs access to a table for the sake of a view. Secret
columns are in no view.
"""

from audience_pipeline.tables import (
    BOOKKEEPING,
    DISTRIBUTION_EVENTS,
    DISTRIBUTIONS,
    DISTRIBUTIONS_ARCHIVE,
    POSITION,
    STORED,
    TABLES,
    TENANT_PRINCIPALS,
    WRITTEN_MONTHS,
    Column,
    Layout,
    LogicalType,
    Table,
)
from audience_pipeline.tables.journal import LOG_DOC, LOGGED
from audience_pipeline.tables.types import BIGQUERY

DATASET = "project.dataset"
"""Stands for the dataset of the tables."""

VIEWS = "project.dataset_views"
"""Stands for the dataset of the views."""

KEPT: tuple[Table, ...] = (*TABLES.values(), *BOOKKEEPING, TENANT_PRINCIPALS, WRITTEN_MONTHS)
"""Every table that is made in BigQuery."""

ALL_DISTRIBUTIONS = "distributions_all"

PIPELINE = tuple(
    f"serviceAccount:audience-pipeline-{role}@project.iam.gserviceaccount.com" for role in ("writer", "scheduler")
)
"""Who sees the rows of all tenants."""

_TENANT = "user_id"


def table_file(table: Table) -> str:
    """Return the file that creates one table."""
    return f"-- {table.doc}\n-- Derived from its declaration by make derive.\n{create_table(table)}"


def views_file() -> str:
    """Return the file that creates the views."""
    head = "-- What analysts read, without secrets. Derived from the declarations by make derive.\n"
    return "\n".join([head, *(_table_view(table) for table in STORED), _all_distributions(), _delivery_log()])


def policies_file() -> str:
    """Return the file that keeps the tenants' rows apart."""
    policed = [table for table in KEPT if _TENANT in table.by_name and table is not TENANT_PRINCIPALS]
    return "\n".join([_POLICIES_HEAD, *(_policies(table) for table in policed)])


def create_table(table: Table) -> str:
    """Return the statement that creates a table; of a documented one it is the documented statement."""
    columns = [
        f"  {column.name} {_type(column)},{'  -- Encrypted' if column.secret else ''}" for column in table.columns
    ]
    lines = [
        f"CREATE TABLE `{DATASET}.{table.name}` (",
        *columns,
        f"  PRIMARY KEY ({primary_key(table)}) NOT ENFORCED",
        ")",
        *(["PARTITION BY DATE(created_at)"] if table.by_month else []),
        *([f"CLUSTER BY {', '.join(table.cluster_by)}"] if table.cluster_by else []),
    ]
    return "\n".join(lines) + ";\n"


def primary_key(table: Table) -> str:
    """Return the column whose values are all different: a record may land often, but only once at one position."""
    return POSITION if table.layout is Layout.LANDED else table.key


def added_column(column: Column) -> str:
    """Return the type a column is added with to a table that has rows: without NOT NULL, which they would break."""
    return BIGQUERY[column.type]


def _type(column: Column) -> str:
    required = column.required and column.type is not LogicalType.STRINGS
    return BIGQUERY[column.type] + (" NOT NULL" if required else "")


def _table_view(table: Table) -> str:
    columns = [column for column in table.columns if not column.secret]
    select = _select([column.name for column in columns], table)
    return _view(table.name, table.doc, columns, select)


def _all_distributions() -> str:
    names = list(DISTRIBUTIONS.column_names)
    live = _select([*names, "CAST(NULL AS TIMESTAMP) AS archived_at"], DISTRIBUTIONS)
    key = DISTRIBUTIONS.key
    copies = f"SELECT {key} FROM `{DATASET}.{DISTRIBUTIONS.name}`"  # noqa: S608 - declared names
    archived = f"{_select([*names, 'archived_at'], DISTRIBUTIONS_ARCHIVE)}\nWHERE {key} NOT IN ({copies})"
    doc = "Live and archived distributions; archived_at is null in live ones."
    return _view(ALL_DISTRIBUTIONS, doc, list(DISTRIBUTIONS_ARCHIVE.columns), f"{live}\nUNION ALL\n{archived}")


def _delivery_log() -> str:
    events, key = DISTRIBUTION_EVENTS, DISTRIBUTIONS.key
    names = ",\n  ".join(f"{'e' if name in events.by_name else 'd'}.{name}" for name in LOGGED)
    columns = [events.by_name.get(name) or DISTRIBUTIONS.by_name[name] for name in LOGGED]
    select = (
        f"SELECT\n  {names}\nFROM `{DATASET}.{events.name}` AS e\n"
        f"LEFT JOIN `{VIEWS}.{ALL_DISTRIBUTIONS}` AS d ON d.{key} = e.{key} AND d.user_id = e.user_id"
    )
    return _view("delivery_log", LOG_DOC, columns, select)


def _select(expressions: list[str], table: Table) -> str:
    columns = ",\n  ".join(expressions)
    return f"SELECT\n  {columns}\nFROM `{DATASET}.{table.name}`"


def _view(name: str, doc: str, columns: list[Column], select: str) -> str:
    documented = ",\n".join(f"  {column.name} OPTIONS (description = {quoted(column.doc)})" for column in columns)
    return (
        f"CREATE OR REPLACE VIEW `{VIEWS}.{name}` (\n{documented}\n)\n"
        f"OPTIONS (description = {quoted(doc)}) AS\n{select};\n"
    )


_POLICIES_HEAD = f"""\
-- Who sees which rows. Derived from the declarations by make derive.
--
-- Once a table has a policy, a caller whom none of its policies names sees no row, owners included. So every table of
-- tenants' rows has two. `pipeline` lets the pipeline's own accounts see all rows, and with that change them. `tenants`
-- lets everybody else see the rows of the one tenant that {TENANT_PRINCIPALS.name} gives them: none, for a caller who
-- is not in it. A policy gives access to no table; grants.sql does that.
"""


def _policies(table: Table) -> str:
    pipeline = ",\n  ".join(f'"{account}"' for account in PIPELINE)
    return f"""\
CREATE OR REPLACE ROW ACCESS POLICY pipeline ON `{DATASET}.{table.name}`
GRANT TO (
  {pipeline}
)
FILTER USING (TRUE);
CREATE OR REPLACE ROW ACCESS POLICY tenants ON `{DATASET}.{table.name}`
GRANT TO ("allAuthenticatedUsers")
FILTER USING (
  {_TENANT} IN (SELECT {_TENANT} FROM `{DATASET}.{TENANT_PRINCIPALS.name}` WHERE principal = SESSION_USER())
);
"""  # noqa: S608 - declared names


def quoted(text: str) -> str:
    """Return a SQL string literal."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
