"""Chunks gathered into batches, so that the store is asked about many records at once.

Belongs here: gathering, in bounded memory. Does not belong here: what happens to a batch.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import pyarrow as pa

from audience_pipeline.ingest.chunks import Chunk, Reasons, RefusedLine, refuse
from audience_pipeline.ingest.lines import Block
from audience_pipeline.ingest.sources import Source, part

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
            self.size += block.length or len(block.data)
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

    def refuse(self, reasons: Mapping[int, Reasons], source: Source | None) -> Iterator[RefusedLine]:
        """Refuse lines, by number, for what the store says of them; ``source`` has the bytes that were not kept."""
        numbers = sorted(reasons)
        for block, following in zip(self.blocks, [*self.blocks[1:], None], strict=False):
            last = bisect_left(numbers, following.first) if following else len(numbers)
            wanted = {number: reasons[number] for number in numbers[bisect_left(numbers, block.first) : last]}
            if wanted:
                yield from refuse(_read(block, source), wanted)


def _read(block: Block, source: Source | None) -> Block:
    return replace(block, data=part(source, block.offset, block.length)) if block.length and source else block


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
