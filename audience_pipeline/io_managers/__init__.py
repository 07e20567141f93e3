"""IO managers: how what an asset returns is stored, and how the next asset gets it back."""

from audience_pipeline.io_managers.factories import BigQueryIOManager, ParquetIOManager

__all__ = ["BigQueryIOManager", "ParquetIOManager"]
