"""The IO managers as resources: what is configured, and made when a run begins.

Belongs here: the two resources. Does not belong here: what an IO manager does (:mod:`.manager`); it and its backends
are imported by runs alone, for importing the code location to stay quick.
"""

from typing import Any

import dagster as dg


class ParquetIOManager(dg.ConfigurableIOManagerFactory[dg.IOManager]):
    """Keeps tables as the documented Parquet files.

    An asset named like a landed source (`audiences`, ...) is upserted under the rules of its declaration. Any other is
    a derived table: its month, range of months or whole is replaced. Both are returned as the parameter's annotation
    says: `pyarrow.Table`, `polars.DataFrame`, `polars.LazyFrame` or `pandas.DataFrame`; metadata `columns` on an input
    reads only those.
    """

    settings: dg.ResourceDependency[Any]
    clock: dg.ResourceDependency[Any]
    store: dg.ResourceDependency[Any]

    def create_io_manager(self, context: dg.InitResourceContext) -> dg.IOManager:  # noqa: ARG002 - Dagster's signature
        """Return the IO manager, on the store of the run."""
        from audience_pipeline.io_managers.manager import TableIOManager  # noqa: PLC0415 - the same
        from audience_pipeline.io_managers.parquet import Files  # noqa: PLC0415 - only runs need what it imports

        files = Files(self.settings.data_dir, self.store)
        return TableIOManager(self.settings, self.clock, self.store, files)


class BigQueryIOManager(dg.ConfigurableIOManagerFactory[dg.IOManager]):
    """Keeps tables in the configured dataset; in all else it does what `ParquetIOManager` does.

    A derived table is `derived_<name>`, partitioned by month where its asset is, and clustered by `user_id` where its
    rows have one.
    """

    settings: dg.ResourceDependency[Any]
    clock: dg.ResourceDependency[Any]
    store: dg.ResourceDependency[Any]

    def create_io_manager(self, context: dg.InitResourceContext) -> dg.IOManager:  # noqa: ARG002 - Dagster's signature
        """Return the IO manager, on the store of the run."""
        from audience_pipeline.io_managers.bigquery import Dataset  # noqa: PLC0415 - only runs need what it imports
        from audience_pipeline.io_managers.manager import TableIOManager  # noqa: PLC0415 - the same

        return TableIOManager(self.settings, self.clock, self.store, Dataset(self.store))
