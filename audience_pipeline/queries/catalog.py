"""`catalog.duckdb`: the database of views that analysts open, and nothing is ever stored in.

Belongs here: writing it, and knowing whether it is current. Does not belong here: its content, which is
`sql/duckdb/catalog.sql` with the absolute data directory filled in.

It depends on this release and on where the data lies, not on what is stored: the views read whatever files there are,
also none. It is written beside its place and renamed, never changed in place, and is not writable: DuckDB locks a
database that one program has open for writing, and here nobody can lock anybody out.
"""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import duckdb

from audience_pipeline.errors import StorageError, storage_errors
from audience_pipeline.sqlfiles import read_sql
from audience_pipeline.storage.parquet.layout import Layout
from audience_pipeline.tables.duckdb import DATA, VARIABLE, quoted

CATALOG = "catalog.duckdb"
_READ_ONLY = 0o444


def write_catalog(data_dir: Path) -> Path:
    """Write the catalog of a data directory and return its path.

    Raises:
        StorageError: the directory cannot be written.
    """
    layout, text = Layout(data_dir.absolute()), _text(data_dir)
    with storage_errors(data_dir / CATALOG):
        layout.staging.mkdir(mode=0o700, parents=True, exist_ok=True)
        _replace(data_dir / CATALOG, lambda staged: _create(staged, text), layout)
        _replace(_stamp(layout), lambda staged: staged.write_text(_digest(text), encoding="ascii"), layout)
    return data_dir / CATALOG


def catalog_is_current(data_dir: Path) -> bool:
    """Return whether the catalog is this release's for this place; reads one small file and opens no database."""
    try:
        found = _stamp(Layout(data_dir)).read_text(encoding="ascii")
    except (FileNotFoundError, PermissionError):
        return False
    return found == _digest(_text(data_dir)) and (data_dir / CATALOG).exists()


def ensure_catalog(data_dir: Path) -> Path:
    """Write the catalog unless it is current, and return its path."""
    return data_dir / CATALOG if catalog_is_current(data_dir) else write_catalog(data_dir)


@contextmanager
def usable_catalog(data_dir: Path) -> Iterator[Path]:
    """Have a current catalog for as long as it is read: a temporary one where the data directory is read-only.

    Raises:
        StorageError: there is no room for one.
    """
    if catalog_is_current(data_dir) or os.access(data_dir, os.W_OK, effective_ids=True):
        yield ensure_catalog(data_dir)
        return
    with TemporaryDirectory(prefix="audience-pipeline-") as directory:
        _create(Path(directory) / CATALOG, _text(data_dir))
        yield Path(directory) / CATALOG


def without_wildcards(path: str) -> str:
    """Return a glob pattern that matches just this path."""
    return re.sub(r"([*?\[])", r"[\1]", path)


def _text(data_dir: Path) -> str:
    """Return the catalog's statements for a place, whatever characters its path has."""
    return read_sql("duckdb/catalog.sql").replace(DATA, without_wildcards(str(data_dir.absolute())).replace("'", "''"))


def _digest(text: str) -> str:
    return sha256(f"{duckdb.__version__}\n{text}".encode()).hexdigest()


def _stamp(layout: Layout) -> Path:
    """Return the file that says what the catalog was made of."""
    return layout.state / "catalog.sha256"


def _create(path: Path, text: str) -> None:
    try:
        with duckdb.connect(path) as connection:
            # A view is tried out when it is made. In a directory that isn't there this takes no time and meets no
            # damaged file; the variable ends with the connection.
            connection.execute(f"SET VARIABLE {VARIABLE} = {quoted(os.devnull)}")
            connection.execute(text)
    except duckdb.Error as error:
        remedy = "Free some space or choose another data directory, and run `audience-pipeline migrate` again."
        found = str(error).splitlines()[0]
        raise StorageError(path, found=found, expected="a database that can be made there", remedy=remedy) from error
    path.chmod(_READ_ONLY)


def _replace(path: Path, write: Callable[[Path], object], layout: Layout) -> None:
    """Have a file written in the staging directory, sync it, and rename it into place."""
    staged = layout.staging / f"{uuid4().hex}{path.suffix}"
    try:
        write(staged)
        _sync(staged)
        staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)
    _sync(path.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
