"""Blocks judged in order, in this process or in several.

Belongs here: the worker processes, and how blocks and rows get to them and back. Started, not forked: a fork of a
process that has used polars hangs. They import little, and at most a few blocks are on their way at once, so memory
stays bounded. Pipes between processes are slow, and would cost as much as judging: a worker reads a plain file itself,
and leaves accepted rows in a scratch file that is mapped here.

A worker that is killed ends the landing with an error; a landing that is killed ends its workers, who would else wait
for its next block for ever.
"""

import gc
import multiprocessing
import os
import shutil
import signal
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import replace
from importlib.abc import MetaPathFinder
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

import pyarrow as pa

from audience_pipeline.errors import StorageError, storage_errors
from audience_pipeline.ingest.chunks import Chunk, Chunks, RefusedLine
from audience_pipeline.ingest.lines import Block, LongLine
from audience_pipeline.ingest.records import Records
from audience_pipeline.ingest.rules import Limits
from audience_pipeline.ingest.secrets import has_secrets
from audience_pipeline.ingest.sources import Source, part
from audience_pipeline.tables import TABLES, Table
from audience_pipeline.tables.arrow import without_rows

PROCESSES = 2
WORTHWHILE_BYTES = 32 * 2**20
_AHEAD = 6 * PROCESSES
"""Blocks on their way: enough to judge while a batch is admitted and written."""

_Left = tuple[int, Path, list[RefusedLine]]
_Waiting = tuple[Block | LongLine, "Future[_Left] | None"]
_chunks: Chunks | None = None


def judged(
    pieces: Iterable[Block | LongLine], chunks: Chunks, limits: Limits, *, size: int, source: Source | None = None
) -> Iterator[tuple[Block | None, Chunk]]:
    """Yield each block with its chunk, in order; lines passed over come as chunks of their own, without a block.

    ``size`` is that of the whole stream and decides whether worker processes are worth their start; from a plain file,
    its ``source``, they read for themselves. Tables with secrets stay in this process: keys are not handed around.

    Raises:
        StorageError: a worker was killed, or the system's temporary directory has no room.
    """
    if size < WORTHWHILE_BYTES or has_secrets(chunks.table):
        for piece in pieces:
            yield _alone(piece, chunks) if isinstance(piece, LongLine) else (piece, chunks.judge(piece))
        return
    with _workers(chunks.table, limits) as (pool, scratch):
        waiting: deque[_Waiting] = deque()
        for piece in pieces:
            waiting.append(_submitted(pool, piece, source, scratch))
            if len(waiting) > _AHEAD:
                yield _collected(*waiting.popleft(), chunks)
        while waiting:
            yield _collected(*waiting.popleft(), chunks)


@contextmanager
def _workers(table: Table, limits: Limits) -> Iterator[tuple[ProcessPoolExecutor, str]]:
    """Have worker processes, and a scratch directory, for as long as there are blocks to judge."""
    with storage_errors("temporary directory"):
        scratch = TemporaryDirectory(prefix="audience-pipeline-", dir=gettempdir())
    context = multiprocessing.get_context("spawn")
    with scratch as directory:
        pool = ProcessPoolExecutor(PROCESSES, context, initializer=_start, initargs=(table.name, limits, directory))
        try:
            _start_all(pool)
            yield pool, directory
        except BrokenProcessPool as error:
            raise _killed(table) from error
        finally:
            pool.shutdown(cancel_futures=True)


def _start_all(pool: ProcessPoolExecutor) -> None:
    """Start all processes at once.

    Left to itself, the pool starts one when there is more work: should another die just then, it waits for the new one
    for ever, or fails with an error about file descriptors.
    """
    for _ in range(PROCESSES):
        pool.submit(os.getpid)


def _killed(table: Table) -> StorageError:
    return StorageError(
        f"{table.name}, worker process",
        found="a process that ended before its work, as when the system runs out of memory",
        expected=f"{PROCESSES} processes that judge records to the end of the file",
        remedy="Free some memory and run again; nothing of the file was landed.",
    )


def _submitted(pool: ProcessPoolExecutor, piece: Block | LongLine, source: Source | None, scratch: str) -> _Waiting:
    if isinstance(piece, LongLine):
        return piece, None
    left = Path(scratch, f"{piece.first}.arrow")
    if source is None or not source.is_plain:
        return piece, pool.submit(_judge, piece, left)
    unread = piece.unread()
    return unread, pool.submit(_judge_part, source, unread, left)


def _collected(piece: Block | LongLine, future: "Future[_Left] | None", chunks: Chunks) -> tuple[Block | None, Chunk]:
    if isinstance(piece, LongLine):
        return _alone(piece, chunks)
    assert future is not None, "a block was not submitted"  # noqa: S101 - for the type checker
    read, left, refused = future.result()
    with storage_errors(left), pa.memory_map(str(left)) as mapped, pa.ipc.open_stream(mapped) as stream:
        rows = stream.read_all()
        left.unlink()
    return piece, Chunk(read, rows, refused)


def _alone(line: LongLine, chunks: Chunks) -> tuple[None, Chunk]:
    return None, Chunk(1, without_rows(chunks.schema), [chunks.passed_over(line)])


class _WithoutPandas(MetaPathFinder):
    """Keeps Arrow from importing pandas with its first array: half a second, to look for types no record has."""

    def find_spec(self, fullname: str, _path: object, _target: object = None) -> None:
        """Hide pandas; leave all else to the other finders."""
        if fullname == "pandas":
            raise ModuleNotFoundError(name=fullname)


def _start(table: str, limits: Limits, scratch: str) -> None:
    """Make this process ready to judge. Records hold no cycles, so looking for some is time lost.

    An interrupt from the terminal reaches all processes at once, and the one that started this one deals with it.
    """
    global _chunks  # noqa: PLW0603 - what a worker process is made for
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, args=(scratch,), daemon=True).start()
    gc.disable()
    sys.meta_path.insert(0, _WithoutPandas())
    _chunks = Chunks(TABLES[table], Records(TABLES[table], limits))


def _end_with_parent(scratch: str) -> None:
    """End this process once the one that started it is gone, be it killed, and clear up for it."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "this is no worker process"  # noqa: S101 - for the type checker
    parent.join()
    shutil.rmtree(scratch, ignore_errors=True)
    os._exit(1)


def _judge_part(source: Source, block: Block, left: Path) -> _Left:
    return _judge(replace(block, data=part(source, block.offset, block.length)), left)


def _judge(block: Block, left: Path) -> _Left:
    assert _chunks is not None, "the process was started without its initializer"  # noqa: S101 - for the type checker
    chunk = _chunks.judge(block)
    with storage_errors(left), pa.OSFile(str(left), "wb") as file, pa.ipc.new_stream(file, chunk.rows.schema) as writer:
        writer.write_table(chunk.rows)
    return chunk.read, left, chunk.refused
