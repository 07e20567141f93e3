"""Large files, judged by worker processes: the same verdicts, whatever the file is packed in."""

import gzip
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from audience_pipeline.errors import StorageError
from audience_pipeline.ingest import batches, lines, reasons, workers
from audience_pipeline.ingest.chunks import Chunks
from audience_pipeline.ingest.quarantine import Entry
from audience_pipeline.ingest.records import Records
from audience_pipeline.ingest.rules import Limits
from audience_pipeline.ingest.sources import Source, identify, opened
from audience_pipeline.tables import AUDIENCES
from audience_pipeline_tests.ingest.builders import NOW, audience, line, write
from audience_pipeline_tests.ingest.conftest import Place

LIMITS = Limits(NOW, 202401)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut files into small blocks and hand them to workers, whatever their size."""
    monkeypatch.setattr(workers, "WORTHWHILE_BYTES", 1)
    monkeypatch.setattr(lines.blocks, "__kwdefaults__", {"size": 4_000})
    monkeypatch.setattr(batches.batches, "__defaults__", (20_000,))


def sent(path: Path) -> Path:
    """Write a BOM, good records, empty and broken lines, a foreign key and a line that is too long."""
    content: list[dict[str, Any] | bytes] = [audience(number, name=f"größer {number}") for number in range(120)]
    content[7] = b"{"
    content[40] = b""
    content[41] = audience(41, user_id="mallory")
    content[90] = line(audience(90)) + b"\r"
    content[91] = audience(91, total_audience_size=-1)
    content[100] = b'{"name": "' + b"x" * reasons.MAX_LINE_BYTES + b'"}'
    content.append(audience(41, user_id="mallory", name="again"))
    write(path, content)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    return path


def outcome(place: Place) -> tuple[list[dict[str, Any]], list[tuple[Any, ...]]]:
    """Return rows and quarantine without what differs between any two files."""

    def kept(entry: Entry) -> tuple[Any, ...]:
        return entry.line, entry.offset, entry.digest, place.kept(entry), [each.code for each in entry.problems]

    rows = sorted(place.rows("audiences"), key=lambda row: str(row["audience_id"]))
    return rows, sorted(map(kept, place.entries()), key=repr)


def packed(path: Path) -> Path:
    """Return the file as an archive."""
    archive = path.with_name(f"{path.name}.gz")
    archive.write_bytes(gzip.compress(path.read_bytes(), 1))
    return archive


def landed(directory: Path, archive: bool) -> tuple[Any, ...]:
    place = Place(directory)
    try:
        place.ingest("audiences", [audience(41)])
        path = sent(directory / "sent.ndjson")
        report = place.ingest_file("audiences", packed(path) if archive else path)
        return report.read, report.rejected, *outcome(place)
    finally:
        place.store.close()


@pytest.mark.parametrize("archive", [False, True], ids=["plain", "gzip"])
def test_workers_judge_as_the_process_itself_does(
    tmp_path: Path, archive: bool, request: pytest.FixtureRequest
) -> None:
    alone = landed(tmp_path / "alone", archive)
    request.getfixturevalue("small")

    assert landed(tmp_path / "workers", archive) == alone
    assert alone[:2] == (120, 5)


def pieces(source: Source) -> Iterator[lines.Block | lines.LongLine]:
    with opened(source) as stream:
        yield from lines.blocks(stream, limit=reasons.MAX_LINE_BYTES)


@pytest.mark.usefixtures("small")
def test_a_worker_does_not_read_a_file_put_in_place_of_the_one_identified(tmp_path: Path) -> None:
    source = identify(write(tmp_path / "sent.ndjson", [audience(number) for number in range(50)]))
    waiting = list(pieces(source))
    write(tmp_path / "other", [audience(number, name="another") for number in range(50)]).replace(source.path)
    chunks = Chunks(AUDIENCES, Records(AUDIENCES, LIMITS))

    with pytest.raises(StorageError, match="changed while it was read"):
        list(workers.judged(waiting, chunks, LIMITS, size=source.size, source=source))


def test_refusing_many_lines_of_a_block_splits_it_once(tmp_path: Path) -> None:
    source = identify(write(tmp_path / "sent.ndjson", [audience(number) for number in range(300)]))
    (block,) = pieces(source)
    assert isinstance(block, lines.Block)
    batch = batches.Batch([replace(block.unread())])

    refused = list(batch.refuse(dict.fromkeys(range(1, 301, 2), ((), ("users",))), source))

    content = source.path.read_bytes()
    assert [each.number for each in refused] == list(range(1, 301, 2))
    assert [content[each.offset : each.offset + each.length] for each in refused] == [each.record for each in refused]
