"""The landed tables as assets that Dagster sees and does not make: the landing job reports them, month by month.

Belongs here: their specs and the events about them. Does not belong here: landing itself.

They are external because no partition of them can be requested: which months a file touches is known once it is read.
An executable asset would show a button that could not keep its promise, and a backfill of it would read nothing.
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from audience_pipeline.partitions import month_key
from audience_pipeline.tables import LANDED, Table


def landed_asset(table: Table, months: dg.PartitionsDefinition[str]) -> dg.AssetSpec:
    """Return the spec of the landed records of ``table``."""
    return dg.AssetSpec(LANDED[table.name].name, partitions_def=months if table.by_month else None)


def landed_event(table: Table, month: int, metadata: Mapping[str, Any]) -> dg.AssetMaterialization:
    """Return the event that records of ``table`` landed in ``month`` (0 where the table has no months)."""
    partition = month_key(month) if month else None
    return dg.AssetMaterialization(LANDED[table.name].name, partition=partition, metadata=dict(metadata))
