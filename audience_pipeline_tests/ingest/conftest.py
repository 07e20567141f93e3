"""A place to ingest in: settings, a store and the entry points, all below one directory."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from audience_pipeline.ingest.files import LandedFile, Landing
from audience_pipeline.ingest.landing import land_pending
from audience_pipeline.ingest.quarantine import Entry
from audience_pipeline.ingest.run import IngestReport, ingest_files
from audience_pipeline.settings import Settings
from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline.tables import TABLES
from audience_pipeline_tests.ingest.builders import NOW, settings_in, write


class Place:
    """One installation; ``now`` can be moved."""

    def __init__(self, directory: Path, **changes: Any) -> None:  # noqa: ANN401 - any setting's value
        self.directory = directory
        self.settings: Settings = settings_in(directory, **changes)
        self.now: datetime = NOW
        self._files = 0
        self.open()

    def open(self) -> None:
        """Open the store, as a new process would."""
        self.store = ParquetStore(self.settings.data_dir, clock=lambda: self.now)
        self.landing = Landing(self.store, self.settings, lambda: self.now)

    def ingest(self, table: str, records: Iterable[Mapping[str, Any] | bytes]) -> IngestReport:
        """Ingest records, or raw lines, from a file of their own."""
        self._files += 1
        return self.ingest_file(table, write(self.directory / "sent" / f"{self._files:03d}.ndjson", records))

    def ingest_file(self, table: str, *paths: Path) -> IngestReport:
        """Ingest files."""
        return ingest_files(self.landing, TABLES[table], paths)

    def drop(self, table: str, name: str, records: Iterable[Mapping[str, Any] | bytes]) -> Path:
        """Put a file into the landing directory."""
        return write(self.settings.landing_dir / table / name, records)

    def land(self, then: Callable[[LandedFile], object] = lambda _: None) -> list[LandedFile]:
        """Land all files that wait."""
        return land_pending(self.store, self.settings, lambda: self.now, then)

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Return the rows of a table."""
        found: pa.Table = self.store.read(TABLES[table])
        rows: list[dict[str, Any]] = found.to_pylist()
        return rows

    def entries(self) -> list[Entry]:
        """Return what is in quarantine."""
        return self.landing.quarantine.entries()

    def kept(self, entry: Entry) -> bytes | None:
        """Return the record of an entry."""
        return self.landing.quarantine.content(entry)[0]

    def codes(self) -> list[set[str]]:
        """Return the codes of each entry's reasons."""
        return [{problem.code for problem in entry.problems} for entry in self.entries()]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    opened = Place(tmp_path)
    yield opened
    opened.store.close()
