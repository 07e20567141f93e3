"""A stream of bytes, cut into blocks of whole lines in bounded memory.

Belongs here: line ends, byte order mark, line numbers and offsets, lines too long to hold. Does not belong here: JSON.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

BLOCK_BYTES = 4 * 2**20
HEAD_BYTES = 4096
_BOM = b"\xef\xbb\xbf"


class Readable(Protocol):
    """What a stream must offer."""

    def read(self, size: int, /) -> bytes:
        """Return up to ``size`` bytes, none only at the end."""


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines: the number of the first (from 1), its offset in the stream, and their bytes.

    ``cut`` says that the stream ended without a line end after the last of them. ``data`` is empty where the ``length``
    bytes can be read from the stream's file again.
    """

    first: int
    offset: int
    data: bytes
    cut: bool = False
    length: int = 0

    def unread(self) -> "Block":
        """Return the block without its bytes."""
        return Block(self.first, self.offset, b"", self.cut, len(self.data))


@dataclass(frozen=True, slots=True)
class LongLine:
    """A line that was streamed past: number, offset, length, SHA-256 of its bytes (hexadecimal) and its head."""

    number: int
    offset: int
    length: int
    digest: str
    head: bytes


def blocks(stream: Readable, *, limit: int, size: int = BLOCK_BYTES) -> Iterator[Block | LongLine]:
    """Yield the lines of ``stream`` in order, in blocks of about ``size`` bytes; lines above ``limit`` bytes apart.

    Holds at most ``limit`` + ``size`` bytes. A byte order mark at the start is passed over.
    """
    cutter = _Cutter(stream, limit, size)
    while cutter.fill():
        yield from cutter.cut()


class _Cutter:
    def __init__(self, stream: Readable, limit: int, size: int) -> None:
        self._stream = stream
        self._limit = limit
        self._size = size
        self._held = stream.read(len(_BOM))
        self._number, self._offset = 1, 0
        self._ended = False
        if self._held == _BOM:
            self._held, self._offset = b"", len(_BOM)

    def fill(self) -> bool:
        """Read on; return False when nothing is left."""
        if not self._ended:
            more = self._stream.read(self._size)
            self._ended = not more
            self._held += more
        return bool(self._held)

    def cut(self) -> Iterator[Block | LongLine]:
        """Yield what is whole, and keep the rest."""
        end = self._held.rfind(b"\n") + 1
        if end:
            yield self._block(end, cut=False)
        if self._ended and self._held:
            yield self._block(len(self._held), cut=True)
        elif len(self._held) > self._limit:
            yield self._pass_over()

    def _block(self, end: int, *, cut: bool) -> Block:
        block = Block(self._number, self._offset, self._held[:end], cut)
        self._held = self._held[end:]
        self._number += block.data.count(b"\n")
        self._offset += end
        return block

    def _pass_over(self) -> LongLine:
        """Stream to the end of the line at hand without keeping it."""
        digest, length, head = hashlib.sha256(), 0, self._held[:HEAD_BYTES]
        piece = self._held
        while piece and (end := piece.find(b"\n")) < 0:
            digest.update(piece)
            length += len(piece)
            piece = self._stream.read(self._size)
        last, rest = (piece[:end], piece[end + 1 :]) if piece else (b"", b"")
        digest.update(last)
        length += len(last)
        line = LongLine(self._number, self._offset, length, digest.hexdigest(), head)
        self._held, self._ended = rest, not piece
        self._number += 1
        self._offset += length + 1
        return line
