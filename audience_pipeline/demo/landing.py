"""Writing a demo world into the landing directory, as the application does it.

Belongs here: the sender's side of the landing contract (write to ``*.tmp``, rename when whole). Does not belong here:
taking landed files in.
"""

import gzip
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import cycle, islice
from pathlib import Path
from typing import IO, cast

from audience_pipeline.demo.generate import DemoWorld, at_least, encoded
from audience_pipeline.demo.tenants import Record
from audience_pipeline.errors import storage_errors

Sealer = Callable[[Record], Record]
"""Takes a platform record with plaintext credentials, returns it with sealed ones."""


def write_landing(
    world: DemoWorld,
    directory: Path,
    *,
    sealer: Sealer | None,
    files_per_table: int = 1,
    compress: bool = False,
) -> list[Path]:
    """Write the world's records to ``directory/<table>/<table>-NNNN.ndjson`` (``.gz`` too), referenced tables first.

    Records are dealt to a table's files in turn. Without a ``sealer`` platforms are written without credentials:
    plaintext ones never reach a file. A run that is cut off leaves ``*.tmp`` files, which no reader takes.

    Returns:
        The files in the order they appeared; a table has fewer than ``files_per_table`` only if it has fewer records.

    Raises:
        UsageError: ``files_per_table`` is less than 1.
        StorageError: the directory cannot be written.
    """
    at_least("files_per_table", files_per_table, 1)
    platforms = map(sealer or _without_credentials, world.platforms())
    tables = {
        "users": world.users(),
        "audiences": world.audiences(),
        "platforms": platforms,
        "distributions": world.distributions(),
    }
    written: list[Path] = []
    for table, records in tables.items():
        with storage_errors(directory / table):
            names = _names(directory / table, files_per_table, compress=compress)
            written += _deal(encoded(records), names, compress=compress)
    return written


def _without_credentials(record: Record) -> Record:
    return {**record, "credentials": None}


def _names(directory: Path, count: int, *, compress: bool) -> list[Path]:
    directory.mkdir(parents=True, exist_ok=True)
    ending = ".ndjson.gz" if compress else ".ndjson"
    return [directory / f"{directory.name}-{number:04d}{ending}" for number in range(1, count + 1)]


def _deal(lines: Iterator[bytes], paths: list[Path], *, compress: bool) -> list[Path]:
    """Write the lines to as many of the files as there are lines for, and let those appear when all are whole."""
    first = list(islice(lines, len(paths)))
    used = paths[: len(first)]
    with ExitStack() as stack:
        files = [stack.enter_context(_opened(_unfinished(path), compress=compress)) for path in used]
        for file, line in zip(files, first, strict=True):
            file.write(line)
        for file, line in zip(cycle(files), lines, strict=False):
            file.write(line)
    for path in used:
        _unfinished(path).replace(path)
    return used


def _unfinished(path: Path) -> Path:
    return path.with_name(f"{path.name}.tmp")


@contextmanager
def _opened(path: Path, *, compress: bool) -> Iterator[IO[bytes]]:
    """Open for writing; a gzip file carries neither time nor name, so the same world has the same bytes."""
    with path.open("wb") as file:
        if not compress:
            yield file
            return
        with gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=file, mtime=0) as packed:
            yield cast("IO[bytes]", packed)
