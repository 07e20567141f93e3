"""What killed writers and emptied months leave behind: listed by `verify`, removed by `vacuum`.

Belongs here: files no row is in. Does not belong here: anything that holds rows, damaged or not.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from audience_pipeline.storage.archives import index_of
from audience_pipeline.storage.contract import Finding
from audience_pipeline.storage.parquet.core import Core
from audience_pipeline.tables import STORED

_STAGED = "Run `audience-pipeline vacuum` in a quiet moment."
_ASIDE = "Look into it if you want to know what happened to the disk, and remove it."


def leftovers(core: Core) -> Iterator[Finding]:
    """List what killed writers and a rebuilt state left aside; harmless, since no reader looks there."""
    for path in _staged(core):
        found, expected = "files of a write that was not finished", "an empty staging directory once no writer runs"
        yield Finding("leftover", str(path), found, expected, _STAGED, harmless=True)
    for path in sorted(core.layout.state.glob("*.damaged-*")):
        found, expected = "a damaged state that was set aside", "nothing: the state was rebuilt without it"
        yield Finding("leftover", str(path), found, expected, _ASIDE, harmless=True)


def vacuum(core: Core) -> list[Path]:
    """Remove zero-row files and leftover temporary files; return what was removed."""
    removed = _staged(core)
    for path in removed:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for table in STORED:
        for partition in core.state.partitions(table.name):
            with core.hold(table, [partition], damaged=True):
                path = core.layout.path(table, partition)
                if _is_empty(path):
                    core.state.drop_partition(table.name, partition, index_of(table).name)
                    path.unlink()
                    removed.append(path)
    return removed


def _staged(core: Core) -> list[Path]:
    staging = core.layout.staging
    return sorted(staging.iterdir()) if staging.is_dir() else []


def _is_empty(path: Path) -> bool:
    """Return whether a file has no rows; one that is missing or damaged is for `verify` to tell."""
    try:
        return bool(pq.read_metadata(path).num_rows == 0)
    except (OSError, pa.ArrowException):
        return False
