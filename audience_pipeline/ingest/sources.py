"""The files records come in: opened, read to the end once for their identity, then read for their lines.

Belongs here: paths, gzip, what can be wrong with a file as a whole. Does not belong here: lines, records.

A file's identity is the SHA-256 of its content, decompressed, so the same records are the same file however they were
packed. Reading everything first also means that a broken archive is known before any of it is landed.
"""

import gzip
import hashlib
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from audience_pipeline.errors import StorageError, UsageError, storage_error, storage_errors
from audience_pipeline.ingest.lines import Readable
from audience_pipeline.tables import Table

_SUFFIXES = (".ndjson", ".ndjson.gz")
_CHUNK_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Source:
    """One file to land: where it is, the name it goes by, the digest of its content and its size once decompressed.

    A file without a place among others is reached by its ``descriptor`` alone.
    """

    path: Path
    name: str
    digest: str
    size: int
    stamp: tuple[int, int, int]
    descriptor: int | None = None

    @property
    def is_plain(self) -> bool:
        """Whether the bytes at the file's path are its lines."""
        return self.descriptor is None and self.path.suffix != ".gz"

    def is_at(self, path: Path) -> bool:
        """Return whether the file at ``path`` is the one that was identified, unchanged."""
        return _stamp(path.stat()) == self.stamp


def waiting_paths(landing_dir: Path, table: Table) -> list[Path]:
    """Return the finished files that wait to be landed in ``table``, in the order of their names.

    Senders write ``*.tmp`` and rename; other names, and those that start with a dot, are nobody's business here.

    Raises:
        StorageError: the directory cannot be listed.
    """
    directory = landing_dir / table.name
    with storage_errors(directory):
        paths = sorted(directory.iterdir()) if directory.is_dir() else []
    return [path for path in paths if path.name.endswith(_SUFFIXES) and not path.name.startswith(".")]


def identify(path: Path, name: str | None = None, *, links: bool = True) -> Source:
    """Read the file at ``path`` once and return what identifies it; ``name`` is what it goes by (its absolute path).

    ``links`` says whether a symbolic link may stand for the file. Where others put files it may not: it could name any
    file that we can read and they cannot.

    Raises:
        UsageError: it is no regular file.
        StorageError: it cannot be read to its end.
    """
    _require_file(path, links=links)
    return _identified(path, name or str(path.absolute()))


def identify_unnamed(file: BinaryIO, name: str) -> Source:
    """Do the same for an open file that has no place among others; it must stay open while the source is used.

    Raises:
        StorageError: it cannot be read to its end.
    """
    return _identified(Path(name), name, file.fileno())


def _identified(path: Path, name: str, descriptor: int | None = None) -> Source:
    digest, size = hashlib.sha256(), 0
    with _opened(path, descriptor) as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
    return Source(path, name, digest.hexdigest(), size, stream.stamp, descriptor)


@contextmanager
def opened(source: Source) -> Iterator[Readable]:
    """Open an identified file for its lines, decompressed.

    Raises:
        StorageError: it cannot be read to its end, or is not the file that was identified.
    """
    with _opened(source.path, source.descriptor) as stream:
        if stream.stamp != source.stamp:
            raise _changed(source.path)
        yield stream


def part(source: Source, offset: int, length: int) -> bytes:
    """Return some bytes of an identified file, which is plain.

    Raises:
        StorageError: it cannot be read, or is not the file that was identified.
    """
    with storage_errors(source.path), source.path.open("rb", buffering=0) as file:
        data = os.pread(file.fileno(), length, offset)
        if _stamp(os.fstat(file.fileno())) != source.stamp:
            raise _changed(source.path)
    return data


class _Reader:
    """A file whose own errors name it, and that has no end if it changed while it was read."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path = path
        self._file = file
        self._stream: Readable = gzip.GzipFile(fileobj=file) if path.suffix == ".gz" else file
        self.stamp = _stamp(os.fstat(file.fileno()))

    def read(self, size: int, /) -> bytes:
        data = self._read(size)
        if not data and _stamp(os.fstat(self._file.fileno())) != self.stamp:
            raise _changed(self._path)
        return data

    def _read(self, size: int) -> bytes:
        try:
            return self._stream.read(size)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise StorageError(
                self._path,
                found=f"a broken gzip archive ({error})",
                expected="an archive that can be read to its end",
                remedy="Send the file again; nothing of it was landed.",
            ) from error
        except OSError as error:
            raise storage_error(error, self._path) from error


@contextmanager
def _opened(path: Path, descriptor: int | None = None) -> Iterator[_Reader]:
    with ExitStack() as stack:
        with storage_errors(path):
            file = stack.enter_context(path.open("rb") if descriptor is None else os.fdopen(os.dup(descriptor), "rb"))
            file.seek(0)
        yield _Reader(path, file)


def _require_file(path: Path, *, links: bool) -> None:
    with storage_errors(path):
        mode = (path.stat() if links else path.lstat()).st_mode
    kinds = {stat.S_IFDIR: "a directory", stat.S_IFLNK: "a symbolic link"}
    if not stat.S_ISREG(mode):
        raise UsageError(
            path,
            found=kinds.get(stat.S_IFMT(mode), "no regular file"),
            expected="a file of one record a line",
            remedy="Name the files themselves, or use - to read from a pipe.",
        )


def _stamp(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_size, status.st_mtime_ns


def _changed(path: Path) -> StorageError:
    return StorageError(
        path,
        found="a file that changed while it was read",
        expected="a complete file",
        remedy="Write to a *.tmp file and rename it when it is complete; nothing of it was landed.",
    )
