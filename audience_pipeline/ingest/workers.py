"""Blocks judged in order, in this process or in several.

Belongs here: the worker processes. Started, not forked: a fork of a process that has used polars hangs. They import
little, and at most a few blocks are on their way at once, so memory stays bounded.
"""

import gc
import multiprocessing
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor

import pyarrow as pa

from audience_pipeline.ingest.chunks import Chunk, Chunks, RefusedLine, passed_over
from audience_pipeline.ingest.lines import Block, LongLine
from audience_pipeline.ingest.records import Records
from audience_pipeline.ingest.rules import Limits
from audience_pipeline.ingest.secrets import has_secrets
from audience_pipeline.tables import TABLES

PROCESSES = 2
WORTHWHILE_BYTES = 32 * 2**20
_AHEAD = 2 * PROCESSES

_Packed = tuple[int, bytes, list[RefusedLine]]
_chunks: Chunks | None = None


def judged(
    pieces: Iterable[Block | LongLine], chunks: Chunks, limits: Limits, *, size: int
) -> Iterator[tuple[Block | None, Chunk]]:
    """Yield each block with its chunk, in order; lines passed over come as chunks of their own, without a block.

    ``size`` is that of the whole stream and decides whether worker processes are worth their start. Tables with secrets
    stay in this process: keys are not handed around.
    """
    if size < WORTHWHILE_BYTES or has_secrets(chunks.table):
        for piece in pieces:
            yield _alone(piece, chunks) if isinstance(piece, LongLine) else (piece, chunks.judge(piece))
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, context, initializer=_start, initargs=(chunks.table.name, limits)) as pool:
        waiting: deque[tuple[Block | LongLine, Future[_Packed] | None]] = deque()
        for piece in pieces:
            waiting.append((piece, None if isinstance(piece, LongLine) else pool.submit(_judge, piece)))
            if len(waiting) > _AHEAD:
                yield _collected(*waiting.popleft(), chunks)
        while waiting:
            yield _collected(*waiting.popleft(), chunks)


def _collected(piece: Block | LongLine, future: Future[_Packed] | None, chunks: Chunks) -> tuple[Block | None, Chunk]:
    if isinstance(piece, LongLine) or future is None:
        return _alone(piece, chunks) if isinstance(piece, LongLine) else (piece, chunks.judge(piece))
    read, packed, refused = future.result()
    with pa.ipc.open_stream(packed) as stream:
        return piece, Chunk(read, stream.read_all(), refused)


def _alone(line: LongLine, chunks: Chunks) -> tuple[None, Chunk]:
    return None, Chunk(1, chunks.schema.empty_table(), [passed_over(chunks.table, line)])


def _start(table: str, limits: Limits) -> None:
    """Make this process ready to judge. Records hold no cycles, so looking for some is time lost."""
    global _chunks  # noqa: PLW0603 - what a worker process is made for
    gc.disable()
    _chunks = Chunks(TABLES[table], Records(TABLES[table], limits))


def _judge(block: Block) -> _Packed:
    assert _chunks is not None, "the process was started without its initializer"  # noqa: S101 - for the type checker
    chunk = _chunks.judge(block)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, chunk.rows.schema) as writer:
        writer.write_table(chunk.rows)
    return chunk.read, sink.getvalue().to_pybytes(), chunk.refused
