"""What was read counts only when no file was replaced meanwhile."""

import itertools
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from audience_pipeline.errors import ConflictError, CorruptionError
from audience_pipeline.storage.parquet import reading
from audience_pipeline.storage.parquet.steady import steady
from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline.tables import AUDIENCES
from audience_pipeline_tests.storage.builders import MAY, audience, put


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_text("old")
    return path


def replace(path: Path, text: str) -> None:
    """Replace a file as the store does."""
    staged = path.with_suffix(".staged")
    staged.write_text(text)
    os.replace(staged, path)  # noqa: PTH105 - the call the store makes


def test_a_file_replaced_during_a_read_is_read_again(path: Path) -> None:
    calls = iter(["first", "second"])

    def read() -> tuple[str, str]:
        before = path.read_text()
        if next(calls) == "first":
            replace(path, "new")
        return before, path.read_text()

    assert steady([path], read) == ("new", "new")


def test_an_error_counts_only_where_no_file_was_replaced(path: Path) -> None:
    def read() -> str:
        if path.read_text() == "old":
            replace(path, "new")
            message = "half a file"
            raise ValueError(message)
        return path.read_text()

    assert steady([path], read) == "new"


def test_an_error_over_files_that_stay_is_raised_at_once(path: Path) -> None:
    calls = 0

    def read() -> None:
        nonlocal calls
        calls += 1
        message = "truly damaged"
        raise ValueError(message)

    with pytest.raises(ValueError, match="truly damaged"):
        steady([path], read)
    assert calls == 1


def test_files_that_never_stay_are_a_conflict_that_may_be_tried_again(path: Path) -> None:
    texts: Iterator[int] = iter(range(100))
    with pytest.raises(ConflictError, match="replaced during each") as caught:
        steady([path], lambda: replace(path, f"text {next(texts)}"))
    assert caught.value.retryable


def test_a_file_that_appears_during_a_read_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "new"

    def read() -> bool:
        found = path.exists()
        if not found:
            path.touch()
        return found

    assert steady([path], read) is True


@pytest.mark.parametrize("content", [b"", b"garbage that is no Parquet at all", b"PAR1" + b"\0" * 30 + b"PAR1"])
def test_a_damaged_file_is_told_as_damage(parquet: ParquetStore, content: bytes) -> None:
    put(parquet, AUDIENCES, audience())
    (path,) = parquet.files(AUDIENCES)
    Path(path).write_bytes(content)
    with pytest.raises(CorruptionError, match="verify"):
        parquet.read(AUDIENCES)


@pytest.mark.parametrize("replacements", [1, 8], ids=["once", "until writers have to wait"])
def test_a_read_of_the_store_gives_what_is_there_when_it_ends(
    parquet: ParquetStore, monkeypatch: pytest.MonkeyPatch, replacements: int
) -> None:
    put(parquet, AUDIENCES, audience(name="version 0"))
    select, versions = reading.select, iter(range(1, replacements + 1))

    def overtaken(*arguments: Any) -> pa.Table:  # noqa: ANN401 - passed on
        found = select(*arguments)
        for version in itertools.islice(versions, 1):
            moment = MAY + timedelta(seconds=version)
            put(parquet, AUDIENCES, audience(name=f"version {version}", updated_at=moment))
        return found

    monkeypatch.setattr(reading, "select", overtaken)
    assert parquet.read(AUDIENCES).column("name").to_pylist() == [f"version {replacements}"]
