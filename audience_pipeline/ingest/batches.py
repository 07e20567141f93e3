"""Chunks gathered into batches, so that the store is asked about many records at once.

Belongs here: gathering, in bounded memory. Does not belong here: what happens to a batch.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import pyarrow as pa

from audience_pipeline.ingest.chunks import LINE_NUMBER, Chunk, RefusedLine, refuse
from audience_pipeline.ingest.lines import Block
from audience_pipeline.tables import Problem

BATCH_BYTES = 24 * 2**20


@dataclass(slots=True)
class Batch:
    """Some blocks with their chunks, in order."""

    blocks: list[Block] = field(default_factory=list)
    chunks: list[Chunk] = field(default_factory=list)
    size: int = 0

    def add(self, block: Block | None, chunk: Chunk) -> None:
        """Add one block with its chunk; a line that was passed over has no block."""
        if block is not None:
            self.blocks.append(block)
            self.size += len(block.data)
        self.chunks.append(chunk)

    @property
    def rows(self) -> pa.Table:
        """The accepted rows of all chunks, with ``_line``."""
        return pa.concat_tables([chunk.rows for chunk in self.chunks])

    @property
    def read(self) -> int:
        """The lines read."""
        return sum(chunk.read for chunk in self.chunks)

    @property
    def refused(self) -> list[RefusedLine]:
        """The lines the chunks refused."""
        return [line for chunk in self.chunks for line in chunk.refused]

    def refuse(self, number: int, problems: Iterable[Problem], waiting_for: tuple[str, ...]) -> RefusedLine:
        """Refuse line ``number`` for what the store says of it."""
        block = next(each for each in reversed(self.blocks) if each.first <= number)
        return refuse(block, number, tuple(problems), waiting_for)


def batches(judged: Iterable[tuple[Block | None, Chunk]], size: int = BATCH_BYTES) -> Iterator[Batch]:
    """Gather judged blocks into batches of about ``size`` bytes of lines."""
    batch = Batch()
    for block, chunk in judged:
        batch.add(block, chunk)
        if batch.size >= size:
            yield batch
            batch = Batch()
    if batch.chunks:
        yield batch


__all__ = ["LINE_NUMBER", "Batch", "batches"]
