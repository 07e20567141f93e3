"""Derived tables: what users' own assets compute, kept in months that are replaced as a whole.

Belongs here: their paths, and replacing and reading their months. Does not belong here: declared tables, which are only
ever upserted under the rules of their declaration.

A derived table lives in ``derived/<path>/year=YYYY/month=MM/<name>_YYYY_MM.parquet``, or, without months, in
``derived/<path>/<name>.parquet``. All months of one write are staged and synced before the first is renamed into place,
so a reader sees whole months, and a write that dies before that has changed nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from audience_pipeline.errors import CorruptionError, RefusedError, UsageError, storage_errors
from audience_pipeline.storage.parquet.files import Staging, encoded
from audience_pipeline.storage.parquet.layout import DERIVED_DIR, Layout


class DerivedTable:
    """One derived table below the data directory; ``path`` ends with its name."""

    def __init__(self, root: Path, path: Sequence[str]) -> None:
        self._layout = Layout(root)
        self.directory = root.joinpath(DERIVED_DIR, *path)
        self.name = path[-1]
        self.title = f"derived table {'/'.join(path)}"

    def replace(self, months: Mapping[int, pa.Table]) -> int:
        """Replace the given months (or month 0, the table without months); return the bytes written.

        Raises:
            RefusedError: the columns or types differ from those of the months that stay.
        """
        schema = self._schema(months)
        size = 0
        with Staging.opened(self._layout) as staging:
            for month, rows in months.items():
                size += staging.add(str(self.file(month)), encoded(rows.cast(schema)))
            staging.publish()
        return size

    def read(self, months: tuple[int, int], columns: Sequence[str] | None = None) -> pa.Table:
        """Return the rows of the months, first to last, that were written; ``(0, 0)`` is the table without months.

        Raises:
            UsageError: none of them was ever written, or a column is asked for that the table does not have.
        """
        files = [path for month, path in self._files() if months[0] <= month <= months[1]]
        if not files:
            raise UsageError(
                self.title,
                found="nothing written yet" if months == (0, 0) else f"no file from {months[0]} to {months[1]}",
                expected="a table that was materialized before it is read",
                remedy=f"Materialize {self.name} first.",
            )
        return pa.concat_tables([self._read(path, columns) for path in files], promote_options="default")

    def file(self, month: int) -> Path:
        """Return the path of a month's file."""
        if not month:
            return self.directory / f"{self.name}.parquet"
        year, number = divmod(month, 100)
        name = f"{self.name}_{year:04d}_{number:02d}.parquet"
        return self.directory / f"year={year:04d}" / f"month={number:02d}" / name

    def _files(self) -> Iterator[tuple[int, Path]]:
        """Yield the months that have a file, oldest first."""
        if (single := self.file(0)).exists():
            yield 0, single
        for path in sorted(self.directory.glob(f"year=*/month=*/{self.name}_*.parquet")):
            year, number = path.stem.rsplit("_", 2)[1:]
            yield int(year) * 100 + int(number), path

    def _schema(self, months: Mapping[int, pa.Table]) -> pa.Schema:
        """Return the schema all months have once ``months`` are replaced; an untyped column takes the others' type."""
        written = [rows.schema.remove_metadata() for rows in months.values()]
        kept = [
            self._schema_of(path) for month, path in self._files() if month and 0 not in months and month not in months
        ]
        for other in [*kept, *written]:
            if other.names != written[0].names:
                found = f"columns {', '.join(written[0].names)}"
                raise self._conflict(found, ", ".join(other.names))
        try:
            return pa.unify_schemas([*kept, *written])
        except (pa.ArrowTypeError, pa.ArrowInvalid) as error:
            found = str(error).splitlines()[0]
            raise self._conflict(found, "the types of the other months") from error

    def _conflict(self, found: str, expected: str) -> RefusedError:
        return RefusedError(
            self.title,
            found=found,
            expected=f"{expected}, as in its other months",
            remedy=f"Cast in the asset; or, to change the table, remove {self.directory} and materialize all months.",
        )

    def _schema_of(self, path: Path) -> pa.Schema:
        with self._readable(path) as file:
            return file.schema_arrow.remove_metadata()

    def _read(self, path: Path, columns: Sequence[str] | None) -> pa.Table:
        with self._readable(path) as file:
            unknown = [name for name in columns or () if name not in file.schema_arrow.names]
            if unknown:
                raise UsageError(
                    self.title,
                    found=f"a request for {', '.join(unknown)}",
                    expected=f"columns among {', '.join(file.schema_arrow.names)}",
                    remedy="Correct the input's `columns` metadata.",
                )
            return file.read(columns=list(columns) if columns else None)

    def _readable(self, path: Path) -> pq.ParquetFile:
        try:
            with storage_errors(path):
                return pq.ParquetFile(path)
        except pa.ArrowInvalid as error:
            raise CorruptionError(
                path,
                found=str(error).splitlines()[0],
                expected="a Parquet file",
                remedy=f"Materialize this month of {self.name} again.",
            ) from error
