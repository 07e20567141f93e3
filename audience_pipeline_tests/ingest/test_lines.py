"""Blocks of whole lines, in bounded memory."""

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audience_pipeline.ingest.lines import Block, LongLine, blocks
from audience_pipeline_tests.ingest.builders import audience, line
from audience_pipeline_tests.ingest.conftest import Place

LIMIT = 20


@given(
    st.lists(st.binary(max_size=60).map(lambda each: each.replace(b"\n", b"")), max_size=12),
    st.booleans(),
    st.integers(1, 50),
)
def test_every_line_comes_once_with_its_number_and_offset(lines: list[bytes], ended: bool, size: int) -> None:
    content = b"\n".join(lines) + (b"\n" if ended else b"")
    content = content.removeprefix(b"\xef\xbb\xbf")
    seen: dict[int, bytes] = {}
    for piece in blocks(io.BytesIO(content), limit=LIMIT, size=size):
        if isinstance(piece, LongLine):
            assert piece.length > LIMIT
            expected = content.split(b"\n")[piece.number - 1]
            assert piece.length == len(expected)
            assert piece.head
            assert expected.startswith(piece.head)
            seen[piece.number] = expected
            continue
        assert isinstance(piece, Block)
        assert content[piece.offset : piece.offset + len(piece.data)] == piece.data
        for index, each in enumerate(piece.data.removesuffix(b"\n").split(b"\n")):
            seen[piece.first + index] = each
    expected_lines = content.removesuffix(b"\n").split(b"\n") if content else []
    assert {n: each for n, each in seen.items() if each} == {
        n: each for n, each in enumerate(expected_lines, 1) if each
    }


def test_a_byte_order_mark_at_the_start_is_passed_over(place: Place) -> None:
    assert place.ingest("audiences", [b"\xef\xbb\xbf" + line(audience())]).inserted == 1


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"\n \r\n\t\n", b"\xef\xbb\xbf"], ids=["nothing", "a line end", "blank", "a mark"]
)
def test_a_file_without_records_is_fine_and_changes_nothing(place: Place, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "empty.ndjson"
    path.write_bytes(content)
    report = place.ingest_file("audiences", path)
    assert (report.read, report.rejected, report.errors, place.rows("audiences")) == (0, 0, [], [])


def test_windows_line_ends_and_empty_lines_are_fine(place: Place, tmp_path: Path) -> None:
    path = tmp_path / "windows.ndjson"
    path.write_bytes(line(audience(1)) + b"\r\n\r\n" + line(audience(2)) + b"\r\n")
    assert place.ingest_file("audiences", path).inserted == 2


def test_a_last_line_without_line_end_is_accepted_when_it_is_whole(place: Place, tmp_path: Path) -> None:
    path = tmp_path / "whole.ndjson"
    path.write_bytes(line(audience(1)) + b"\n" + line(audience(2)))
    assert place.ingest_file("audiences", path).inserted == 2


def test_a_truncated_last_line_is_refused_as_truncated(place: Place, tmp_path: Path) -> None:
    path = tmp_path / "cut.ndjson"
    path.write_bytes(line(audience(1)) + b"\n" + line(audience(2))[:50])
    report = place.ingest_file("audiences", path)
    assert (report.inserted, report.rejected) == (1, 1)
    assert place.codes() == [{"truncated"}]
