"""The table store: one contract, and a backend chosen by the settings."""

from typing import TYPE_CHECKING

from audience_pipeline.errors import UsageError
from audience_pipeline.settings import Settings, load_settings

if TYPE_CHECKING:
    from audience_pipeline.storage.parquet.store import ParquetStore


def open_store(settings: Settings | None = None, *, reading: bool = False) -> "ParquetStore":
    """Return the configured store, to be used as a context manager.

    With ``reading`` the data directory must be there, and where it is read-only it is read as it is.
    Raises UsageError for a backend this release does not have, StorageError where the data directory cannot be used.
    """
    settings = settings or load_settings()
    if settings.backend != "parquet":
        raise UsageError(
            object="AUDIENCE_PIPELINE_BACKEND",
            found=str(settings.backend),
            expected="parquet, the backend of this release",
            remedy="Unset the variable, or set it to parquet.",
        )
    from audience_pipeline.storage.parquet.store import ParquetStore  # noqa: PLC0415 - heavy, and one backend is used

    return ParquetStore(settings.data_dir, reading=reading)


__all__ = ["open_store"]
