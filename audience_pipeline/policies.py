"""What holds for every asset: description, owners, kinds, tags, columns, lineage; and what a failure means for a rerun.

Belongs here: rules applied once, to all assets of a declared table, from its declaration. Does not belong here: what an
asset computes. An asset states nothing that its declaration already says.
"""

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import dagster as dg

from audience_pipeline.errors import PipelineError
from audience_pipeline.settings import Settings
from audience_pipeline.storage.bigquery.placing import derived_name
from audience_pipeline.storage.parquet.layout import DERIVED_DIR
from audience_pipeline.tables import LANDED, LANDED_COLUMNS, SOURCES, TABLES, Column, Layout, Owner, Table

Asset: TypeAlias = dg.AssetsDefinition | dg.AssetSpec

OWNERS = ("team:audience-data",)
RETRIES = 3
SECONDS_BETWEEN_RETRIES = 5


def with_policies(assets: Iterable[Asset], settings: Settings) -> Sequence[Any]:
    """Return the assets of declared tables with the policies applied, and with the code they come from."""

    def described(spec: dg.AssetSpec) -> dg.AssetSpec:
        table = TABLES[spec.key.to_user_string()]
        return spec.merge_attributes(
            owners=list(OWNERS),
            tags=_tags(table),
            kinds=_kinds(table, settings),
            metadata={**location(settings, spec.key.path), **_column_metadata(table)},
        ).replace_attributes(description=_description(table), group_name=_group(table))

    with accepted_betas():
        return dg.with_source_code_references(dg.map_asset_specs(described, assets))


@contextmanager
def accepted_betas() -> Iterator[None]:
    """Silence Dagster's notice that a parameter is in beta: the lock pins its minor version, and tests use each one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        yield


@contextmanager
def classed_failures() -> Iterator[None]:
    """Let the class of an error decide about retries: a conflict is tried again, everything else needs a change first.

    Raises:
        RetryRequested: another writer was faster.
        Failure: for any other error of the package, shown with its fields.
    """
    try:
        yield
    except PipelineError as error:
        if error.retryable:
            raise dg.RetryRequested(RETRIES, SECONDS_BETWEEN_RETRIES) from error
        fields = {"object": error.object, "found": error.found, "expected": error.expected, "remedy": error.remedy}
        raise dg.Failure(str(error), metadata=fields, allow_retries=False) from error


def location(settings: Settings, path: Sequence[str]) -> dict[str, str]:
    """Return where the table of an asset is kept, as metadata."""
    declared = len(path) == 1 and path[0] in TABLES
    if settings.backend == "bigquery":
        table = path[0] if declared else derived_name(path)
        parts = (str(settings.bigquery_project), str(settings.bigquery_dataset), table)
        name, uri = ".".join(parts), f"bigquery://{'/'.join(parts)}"
    else:
        directory = settings.data_dir.joinpath(*(() if declared else (DERIVED_DIR,)), *path)
        name, uri = ".".join(path), directory.absolute().as_uri()
    return {"dagster/table_name": name, "dagster/storage_kind": settings.backend, "dagster/uri": uri}


def column_lineage(table: Table) -> dg.TableColumnLineage:
    """Return the lineage of a table's columns: each is the same column of the landed records, unless the engine's."""
    upstream = dg.AssetKey(LANDED[table.name].name)
    return dg.TableColumnLineage(
        {name: [dg.TableColumnDep(asset_key=upstream, column_name=name)] for name in table.column_names}
    )


def _column_metadata(table: Table) -> Mapping[str, object]:
    schema = dg.TableSchema([_column(table, column) for column in table.columns])
    lineage = {"dagster/column_lineage": column_lineage(table)} if table in SOURCES else {}
    return {"dagster/column_schema": schema, **lineage}


def _column(table: Table, column: Column) -> dg.TableColumn:
    rules = [
        *([f"one of {', '.join(column.values)}"] if column.values else []),
        *([column.format.value] if column.format else []),
        *([f"at least {column.minimum}"] if column.minimum is not None else []),
        *(["never changes"] if column.immutable else []),
        *(["sealed"] if column.secret else []),
        *(["written by the engine"] if column.owner is Owner.ENGINE and column not in LANDED_COLUMNS else []),
    ]
    key = column.name == table.key and table.layout is Layout.USER
    constraints = dg.TableColumnConstraints(nullable=not column.required, unique=key, other=rules)
    return dg.TableColumn(column.name, column.type.value, column.doc, constraints)


def _description(table: Table) -> str:
    rows = f"One row per `{table.key}`" if table.layout is Layout.USER else "One row per accepted record"
    months = ", by month of `created_at` (UTC)" if table.by_month else ""
    version = f"; the newest `{table.version}` wins" if table.version and table.layout is Layout.USER else ""
    return f"{table.doc}\n\n{rows}{months}{version}."


def _group(table: Table) -> str:
    return "landed" if table.layout is Layout.LANDED else "tables"


def _kinds(table: Table, settings: Settings) -> set[str]:
    return {settings.backend, "json"} if table.layout is Layout.LANDED else {settings.backend, "table"}


def _tags(table: Table) -> dict[str, str]:
    secret = any(column.secret for column in table.columns)
    return {"tenant-key": "user_id", **({"sealed-credentials": ""} if secret else {})}
