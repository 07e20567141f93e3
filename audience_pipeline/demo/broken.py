"""Records that break a rule, so that a demo has something to refuse.

Belongs here: one record for each of the mistakes senders make most. Does not belong here: the rules.
"""

from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from pathlib import Path
from uuid import UUID, uuid5

import msgspec

from audience_pipeline.demo.generate import DemoWorld, encoded
from audience_pipeline.demo.tenants import Record
from audience_pipeline.errors import storage_errors

NAME = "sent-by-hand.ndjson"
"""Name of the broken files; it sorts after those of the world, whose records come first."""

_NAMESPACE = UUID("6e6f7420-7265-616c-2064-656d6f206964")
_CUT = 900


def write_broken(world: DemoWorld, directory: Path) -> list[Path]:
    """Write a file of broken audiences and one of distributions; the same world, the same bytes.

    Raises:
        StorageError: the directory cannot be written.
    """
    return [
        _write(directory / "audiences" / NAME, _audiences(world)),
        _write(directory / "distributions" / NAME, _distributions(world)),
    ]


def _write(path: Path, lines: Iterator[bytes]) -> Path:
    unfinished = path.with_name(f"{path.name}.tmp")
    with storage_errors(path):
        unfinished.write_bytes(b"".join(lines))
        unfinished.replace(path)
    return path


def _audiences(world: DemoWorld) -> Iterator[bytes]:
    stored, *others = islice(world.audiences(), 6)
    large, misspelt, early, twice, cut = (_renamed(record, "audience_id") for record in others)
    next_year = (world.now + timedelta(days=365)).isoformat()
    yield from encoded(
        [
            {**stored, "user_id": "user_of_somebody_else"},
            {**large, "status": "live", "segments": _outgrown(large)},
            {("segmnts" if name == "segments" else name): value for name, value in misspelt.items()},
            {**early, "created_at": next_year, "updated_at": next_year, "name": None},
        ]
    )
    yield b'{"name":"Which of two names counts?",' + msgspec.json.encode(twice)[1:] + b"\n"
    yield msgspec.json.encode(cut)[:_CUT]


def _distributions(world: DemoWorld) -> Iterator[bytes]:
    rated, begun, lost = (_renamed(record, "distribution_id") for record in islice(world.distributions(), 3))
    results = {"total_records": 1_000, "matched_records": 480, "match_rate": 0.84}
    return encoded(
        [
            {**rated, "status": "completed", "match_results": results},
            {**begun, "status": "processing"},
            {**lost, "audience_id": str(uuid5(_NAMESPACE, "an audience nobody made"))},
        ]
    )


def _outgrown(record: Record) -> list[Record]:
    """Return the segments of an audience, the first one larger than the audience."""
    first, *rest = record["segments"]
    return [{**first, "size": record["total_audience_size"] + 1, "size_percentage": None}, *rest]


def _renamed(record: Record, key: str) -> Record:
    """Return the record under a key of its own."""
    return {**record, key: str(uuid5(_NAMESPACE, record[key]))}
