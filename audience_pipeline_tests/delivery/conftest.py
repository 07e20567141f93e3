"""The stores that delivery is tested on: those of the contract suite."""

from audience_pipeline_tests.storage.conftest import (
    bigquery,
    emulated,
    emulated_dataset,
    parquet,
    root,
    service,
    service_dataset,
    store,
)

__all__ = ["bigquery", "emulated", "emulated_dataset", "parquet", "root", "service", "service_dataset", "store"]
