"""One load of a large store in a process of its own: ``python -m bench.loading ROWS.arrow DIRECTORY``.

Prints how it went, its own peak memory included.
"""

import sys
import time
from pathlib import Path

import msgspec
import pyarrow as pa

from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline.tables import DISTRIBUTIONS
from bench.measuring import peak_memory
from bench.workbench import Load


def main(source: Path, root: Path) -> None:
    """Load the rows of an Arrow file into an empty store."""
    with pa.memory_map(str(source)) as file, ParquetStore(root) as store:
        rows = pa.ipc.open_file(file).read_all()
        start = time.perf_counter()
        inserted = store.upsert(DISTRIBUTIONS, rows).inserted
        seconds = time.perf_counter() - start
        files = len(store.files(DISTRIBUTIONS))
    print(msgspec.json.encode(Load(inserted, files, seconds, peak_memory())).decode())


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
