"""Landed records as the rows an upsert takes.

Belongs here: that one step, shared by the command line and Dagster. Which record of a key wins is the store's rule
(newest), so every record goes in, and its place in the order of landing with it.
"""

import pyarrow as pa

from audience_pipeline.tables import POSITION, Table


def fold(table: Table, records: pa.Table) -> pa.Table:
    """Return landed ``records`` of ``table`` as candidates for its rows: its columns and ``landed_position``."""
    return records.select([*table.column_names, POSITION])
