"""The files of a demo world: whole, repeatable, free of secrets."""

import gzip
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from audience_pipeline.demo.generate import DemoWorld
from audience_pipeline.demo.landing import write_landing
from audience_pipeline.errors import StorageError, UsageError
from audience_pipeline_tests.demo.worlds import TABLES, text, world


@pytest.fixture(scope="module")
def small() -> DemoWorld:
    return world(tenants=6, audiences=30, distributions=100)


def contents(directory: Path) -> dict[str, bytes]:
    files = [path for path in directory.rglob("*") if path.is_file()]
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in files}


def secrets(one: DemoWorld) -> set[str]:
    found = set()
    for platform in one.platforms():
        credentials = platform["credentials"]
        found |= {credentials["api_key"], *credentials["additional_config"].values()}
    return found


def sealed(record: dict[str, Any]) -> dict[str, Any]:
    return {**record, "credentials": {"encrypted": True, "account_id": record["credentials"]["account_id"]}}


@pytest.mark.parametrize("sealer", [None, sealed])
def test_no_secret_reaches_a_file(tmp_path: Path, small: DemoWorld, sealer: Any) -> None:  # noqa: ANN401 - either
    write_landing(small, tmp_path, sealer=sealer)
    written = b"".join(contents(tmp_path).values()).decode()
    assert secrets(small)
    assert [secret for secret in secrets(small) if f'"{secret}"' in written] == []


def test_a_sealer_sees_every_platform_and_its_result_is_written(tmp_path: Path, small: DemoWorld) -> None:
    write_landing(small, tmp_path, sealer=sealed)
    lines = (tmp_path / "platforms" / "platforms-0001.ndjson").read_bytes().splitlines()
    assert [msgspec.json.decode(line) for line in lines] == [sealed(record) for record in small.platforms()]


@pytest.mark.parametrize("compress", [False, True])
def test_the_files_hold_every_record_once_and_nothing_unfinished_stays(
    tmp_path: Path, small: DemoWorld, compress: bool
) -> None:
    paths = write_landing(small, tmp_path, sealer=None, files_per_table=4, compress=compress)
    assert sorted(contents(tmp_path)) == sorted(path.relative_to(tmp_path).as_posix() for path in paths)
    for table in ("users", "audiences", "distributions"):
        files = [path.read_bytes() for path in paths if path.parent.name == table]
        assert len(files) == 4
        lines = b"".join(gzip.decompress(file) if compress else file for file in files)
        assert Counter(lines.splitlines()) == Counter(text(small, table).splitlines())


def test_referenced_tables_come_first(tmp_path: Path, small: DemoWorld) -> None:
    paths = write_landing(small, tmp_path, sealer=None)
    assert [path.parent.name for path in paths] == list(TABLES)


@pytest.mark.parametrize("compress", [False, True])
def test_writing_twice_gives_the_same_files(tmp_path: Path, small: DemoWorld, compress: bool) -> None:
    for name in ("one", "two"):
        write_landing(small, tmp_path / name, sealer=None, compress=compress)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_no_file_is_empty_when_there_are_fewer_records_than_files(tmp_path: Path) -> None:
    write_landing(world(tenants=2, audiences=1, distributions=0), tmp_path, sealer=None, files_per_table=3)
    assert Counter(name.split("/")[0] for name in contents(tmp_path)) == {"users": 2, "audiences": 1, "platforms": 3}
    assert all(contents(tmp_path).values())


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path, small: DemoWorld) -> None:
    (tmp_path / "users").write_text("in the way")
    with pytest.raises(StorageError, match="users"):
        write_landing(small, tmp_path, sealer=None)


def test_no_file_for_the_records_is_refused(tmp_path: Path, small: DemoWorld) -> None:
    with pytest.raises(UsageError, match="files_per_table: found 0, expected at least 1"):
        write_landing(small, tmp_path, sealer=None, files_per_table=0)
