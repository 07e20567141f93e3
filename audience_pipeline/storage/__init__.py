"""The table store: one contract, and a backend chosen by the settings."""

from typing import TYPE_CHECKING

from audience_pipeline.errors import UsageError
from audience_pipeline.settings import Settings, load_settings, variable

if TYPE_CHECKING:
    from audience_pipeline.storage.bigquery.store import BigQueryStore
    from audience_pipeline.storage.parquet.store import ParquetStore


def open_store(settings: Settings | None = None, *, reading: bool = False) -> "ParquetStore | BigQueryStore":
    """Return the configured store, to be used as a context manager.

    With ``reading`` a data directory must be there, and where it is read-only it is read as it is.
    Raises UsageError where the backend's libraries are not installed, SettingsError without credentials, StorageError
    where the data directory cannot be used.
    """
    settings = settings or load_settings()
    if settings.backend == "parquet":
        return open_files(settings, reading=reading)
    from audience_pipeline.storage.bigquery.store import BigQueryStore  # noqa: PLC0415 - heavy, and one backend is used

    return BigQueryStore(settings)


def open_files(settings: Settings | None = None, *, reading: bool = False) -> "ParquetStore":
    """Return the store of the data directory, for what is done with its files; see :func:`open_store`.

    Raises UsageError where another backend is configured.
    """
    settings = settings or load_settings()
    if settings.backend != "parquet":
        raise UsageError(
            variable("backend"),
            found=str(settings.backend),
            expected="parquet, whose files this is about",
            remedy="Unset the variable, or set it to parquet.",
        )
    from audience_pipeline.storage.parquet.store import ParquetStore  # noqa: PLC0415 - the same

    return ParquetStore(settings.data_dir, reading=reading)


__all__ = ["open_files", "open_store"]
