"""IO managers: how what an asset returns is stored, and how the next asset gets it back."""

from audience_pipeline.io_managers.bigquery import BigQueryIOManager
from audience_pipeline.io_managers.parquet import ParquetIOManager

__all__ = ["BigQueryIOManager", "ParquetIOManager"]
