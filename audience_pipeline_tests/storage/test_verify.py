"""Verify finds each kind of damage when a test plants it; a repair mends the index and never drops a row."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from audience_pipeline.errors import CorruptionError
from audience_pipeline.storage.contract import Finding
from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline.tables import AUDIENCES, DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE, PLATFORMS
from audience_pipeline_tests.storage.builders import (
    JUNE,
    NOW,
    archived_form,
    audience,
    distribution_of,
    json,
    move,
    platform,
    put,
    put_references,
    sealed,
    stored,
    uuid,
)

MAY_FILE = "audiences/user_id=user123/year=2025/month=05/audiences_2025_05.parquet"
JUNE_FILE = "audiences/user_id=user123/year=2025/month=06/audiences_2025_06.parquet"
DISTRIBUTIONS_FILE = "distributions/user_id=user123/year=2025/month=05/distributions_2025_05.parquet"
PLATFORMS_FILE = "platforms/user_id=user123/platforms.parquet"


@pytest.fixture
def whole(parquet: ParquetStore) -> ParquetStore:
    """A store with rows in several tables, users and months, and nothing wrong in it."""
    put_references(parquet, "user123")
    put(parquet, AUDIENCES, audience(1), audience(2), audience(3, created_at=JUNE), audience(4, user_id="other"))
    put(parquet, PLATFORMS, platform(1, credentials=sealed(platform(1))))
    put(parquet, DISTRIBUTIONS, distribution_of("user123", 1), distribution_of("user123", 2, status="failed"))
    assert parquet.verify() == []
    return parquet


def kinds(findings: list[Finding]) -> set[str]:
    for finding in findings:
        assert all((finding.object, finding.found, finding.expected, finding.remedy))
    return {finding.kind for finding in findings}


def rewrite(path: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    """Change a file as another program would."""
    pq.write_table(change(pq.ParquetFile(path).read()), path)


def with_value(name: str, value: str) -> Callable[[pa.Table], pa.Table]:
    """Return what puts a value into the first row of a column."""

    def change(rows: pa.Table) -> pa.Table:
        values = [value, *rows.column(name).to_pylist()[1:]]
        return rows.set_column(rows.column_names.index(name), name, pa.array(values, rows.field(name).type))

    return change


def state(store: ParquetStore, statement: str) -> None:
    """Change the state behind the store's back."""
    with closing(sqlite3.connect(store.root / "_state" / "store.sqlite", isolation_level=None)) as connection:
        assert connection.execute(statement).rowcount


@pytest.mark.parametrize("content", [b"", b"PAR1 not really PAR1", None], ids=["empty", "garbage", "truncated"])
@pytest.mark.parametrize("name", [MAY_FILE, DISTRIBUTIONS_FILE], ids=["audiences", "distributions"])
def test_a_file_that_is_not_whole_is_found_and_its_keys_are_kept(
    whole: ParquetStore, name: str, content: bytes | None
) -> None:
    path = whole.root / name
    path.write_bytes(path.read_bytes()[:-20] if content is None else content)
    for repair in (False, True, False):
        findings = whole.verify(repair=repair)
        assert kinds(findings) == {"unreadable file"}
        assert [finding.object for finding in findings] == [str(path)]
    assert len(whole.placements(AUDIENCES, [uuid(1), uuid(2)])) == 2


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: rows.drop_columns(["status"]),
        lambda rows: rows.append_column("extra", pa.nulls(rows.num_rows, pa.string())),
        lambda rows: rows.select(rows.column_names[::-1]),
        lambda rows: rows.set_column(4, "created_at", rows.column("created_at").cast(pa.timestamp("us"))),
    ],
    ids=["missing column", "extra column", "other order", "other type"],
)
def test_a_file_of_other_columns_or_types_is_found(whole: ParquetStore, change: Callable[[pa.Table], pa.Table]) -> None:
    rewrite(whole.root / MAY_FILE, change)
    findings = whole.verify()
    assert "schema" in kinds(findings)


def test_a_row_of_another_user_or_month_is_found(whole: ParquetStore) -> None:
    june = pq.ParquetFile(whole.root / JUNE_FILE).read()
    rewrite(whole.root / MAY_FILE, with_value("user_id", "other"))
    assert "placement" in kinds(whole.verify())
    rewrite(whole.root / MAY_FILE, with_value("user_id", "user123"))
    rewrite(whole.root / JUNE_FILE, lambda _: pq.ParquetFile(whole.root / MAY_FILE).read().slice(0, 0))
    rewrite(whole.root / MAY_FILE, lambda rows: pa.concat_tables([rows, june]))
    assert "placement" in kinds(whole.verify())


def test_a_key_twice_in_a_file_is_found(whole: ParquetStore) -> None:
    rewrite(whole.root / MAY_FILE, lambda rows: pa.concat_tables([rows, rows.slice(0, 1)]))
    assert "duplicate key" in kinds(whole.verify())


def test_a_key_in_two_files_is_found(whole: ParquetStore) -> None:
    other = whole.root / "audiences/user_id=other/year=2025/month=05/audiences_2025_05.parquet"
    copy = audience(1, user_id="other")
    rewrite(other, lambda rows: pa.concat_tables([rows, pa.Table.from_pylist([copy], schema=rows.schema)]))
    findings = [finding for finding in whole.verify() if finding.kind == "duplicate key"]
    assert [uuid(1) in finding.object for finding in findings] == [True]


def test_an_archived_row_that_is_live_again_lives_there_and_its_copy_stays(whole: ParquetStore) -> None:
    live = pq.ParquetFile(whole.root / DISTRIBUTIONS_FILE).read()
    move(whole, DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE, [uuid(2)], {"archived_at": NOW})
    rewrite(whole.root / DISTRIBUTIONS_FILE, lambda _: live)
    assert kinds(whole.verify()) == {"index"}
    assert all(finding.repaired for finding in whole.verify(repair=True))
    assert whole.verify() == []
    assert not whole.placements(DISTRIBUTIONS, [uuid(2)])[uuid(2)].archived
    assert set(stored(whole, DISTRIBUTIONS_ARCHIVE)) == {uuid(2)}


def test_a_live_row_that_is_lost_is_taken_from_its_copy(whole: ParquetStore) -> None:
    copy_to_archive(whole, uuid(2))
    assert whole.verify() == []
    others = pc.not_equal(pq.ParquetFile(whole.root / DISTRIBUTIONS_FILE).read().column("distribution_id"), uuid(2))
    rewrite(whole.root / DISTRIBUTIONS_FILE, lambda rows: rows.filter(others))
    assert "lost row" in kinds(whole.verify())
    whole.verify(repair=True)
    assert whole.verify() == []
    assert whole.placements(DISTRIBUTIONS, [uuid(2)])[uuid(2)].archived


def test_an_archived_row_in_another_month_than_the_live_one_is_found(whole: ParquetStore) -> None:
    copy_to_archive(whole, uuid(2))
    (archived,) = (whole.root / "distributions_archive").rglob("*.parquet")
    other = archived.parent.with_name("month=06") / "distributions_archive_2025_06.parquet"
    other.parent.mkdir()
    archived.rename(other)
    assert "duplicate key" in kinds(whole.verify())


def copy_to_archive(store: ParquetStore, key: str) -> None:
    assert store.copy(DISTRIBUTIONS_ARCHIVE, archived_form(store, [key])).moved == (key,)


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM keys WHERE key = '00000000-0000-4000-8000-000000000001'",
        "UPDATE keys SET month = 202506 WHERE key = '00000000-0000-4000-8000-000000000001' AND tbl = 'audiences'",
        "UPDATE keys SET user_id = 'other' WHERE key = '00000000-0000-4000-8000-000000000001' AND tbl = 'audiences'",
        "UPDATE keys SET phase = 0 WHERE key = '00000000-0000-4000-8000-000000000001' AND tbl = 'audiences'",
        "DELETE FROM partitions WHERE tbl = 'audiences' AND month = 202506",
        "DELETE FROM keys",
        "DELETE FROM partitions",
    ],
)
def test_an_index_that_does_not_know_its_rows_is_found_and_mended(whole: ParquetStore, damage: str) -> None:
    before = {table.name: stored(whole, table) for table in (AUDIENCES, PLATFORMS, DISTRIBUTIONS)}
    state(whole, damage)
    assert "index" in kinds(whole.verify())
    assert all(finding.repaired for finding in whole.verify(repair=True) if finding.kind == "index")
    assert whole.verify() == []
    assert {table.name: stored(whole, table) for table in (AUDIENCES, PLATFORMS, DISTRIBUTIONS)} == before
    assert whole.get(AUDIENCES, [uuid(1)]).num_rows == 1


def test_an_index_that_names_a_lost_row_is_found_and_mended(whole: ParquetStore) -> None:
    rewrite(whole.root / MAY_FILE, lambda rows: rows.filter(pc.not_equal(rows.column("audience_id"), uuid(1))))
    findings = whole.verify()
    assert kinds(findings) == {"index", "lost row"}
    assert any(uuid(1) in finding.object for finding in findings)
    whole.verify(repair=True)
    assert whole.verify() == []
    put(whole, AUDIENCES, audience(1))


def test_a_missing_file_is_found_and_its_rows_can_be_written_again(whole: ParquetStore) -> None:
    (whole.root / MAY_FILE).unlink()
    assert "missing file" in kinds(whole.verify())
    whole.verify(repair=True)
    assert {finding.kind for finding in whole.verify()} <= {"reference"}
    put(whole, AUDIENCES, audience(1))
    assert uuid(1) in stored(whole)


def test_forgetting_a_missing_archive_file_forgets_no_live_row(whole: ParquetStore) -> None:
    move(whole, DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE, [uuid(2)], {"archived_at": NOW})
    (archived,) = (whole.root / "distributions_archive").rglob("*.parquet")
    archived.unlink()
    whole.verify(repair=True)
    assert whole.verify() == []
    assert whole.get(DISTRIBUTIONS, [uuid(1)]).num_rows == 1


@pytest.mark.parametrize(
    "name",
    [
        "audiences/notes.txt",
        "audiences/user_id=user123/copy.parquet",
        "audiences/user_id=user123/year=2025/month=5/audiences_2025_5.parquet",
        "audiences/user_id=user123/year=2025/month=05/audiences_2025_05 (copy).parquet",
        "platforms/user_id=user123/year=2025/month=05/platforms.parquet",
        "platforms/user_id=a%2fb/platforms.parquet",
    ],
)
def test_a_file_that_does_not_belong_is_found_and_left_alone(whole: ParquetStore, name: str) -> None:
    path = whole.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"whatever")
    findings = whole.verify(repair=True)
    assert kinds(findings) == {"stray file"}
    assert [finding.object for finding in findings] == [str(path)]
    assert path.read_bytes() == b"whatever"


def test_a_secret_in_plain_text_is_found_and_not_shown(whole: ParquetStore) -> None:
    rewrite(whole.root / PLATFORMS_FILE, with_value("credentials", json({"api_key": "canary", "account_id": "a"})))
    findings = [finding for finding in whole.verify() if finding.kind == "declaration"]
    assert [finding.object for finding in findings] == [str(whole.root / PLATFORMS_FILE)]
    assert "canary" not in repr(findings)


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("metadata", '{"tags": ["a"], "notes": "n"}', "canonical form"),
        ("metadata", '{"surprise":1}', "declaration"),
        ("metadata", "{", "declaration"),
        ("status", "busy", "declaration"),
        ("audience_id", uuid(255).upper(), "canonical form"),
    ],
)
def test_a_value_the_store_would_not_write_is_found(whole: ParquetStore, name: str, value: str, kind: str) -> None:
    rewrite(whole.root / MAY_FILE, with_value(name, value))
    assert kind in kinds(whole.verify())


def test_a_broken_reference_is_found_and_one_to_another_tenant_reads_the_same(whole: ParquetStore) -> None:
    absent = distribution_of("user123", 8) | {"audience_id": uuid(99)}
    foreign = distribution_of("user123", 9) | {"audience_id": uuid(4)}
    put(whole, DISTRIBUTIONS, absent, foreign)
    findings = whole.verify()
    assert kinds(findings) == {"reference"}
    assert {finding.object for finding in findings} == {f"distributions {uuid(8)}", f"distributions {uuid(9)}"}
    assert len({finding.found.replace(uuid(99), "X").replace(uuid(4), "X") for finding in findings}) == 1


def test_what_killed_writers_left_is_listed_as_harmless_and_vacuumed(whole: ParquetStore) -> None:
    left = whole.root / "_state" / "staging" / "deadbeef"
    left.mkdir()
    (left / "0.parquet").write_bytes(b"half")
    (finding,) = whole.verify()
    assert (finding.kind, finding.object, finding.harmless) == ("leftover", str(left), True)
    assert whole.vacuum() == [left]
    assert whole.verify() == []


def test_vacuum_removes_empty_files_and_neither_rows_nor_their_keys(whole: ParquetStore) -> None:
    keys = [uuid(1), uuid(2)]
    move(whole, DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE, keys, {"archived_at": NOW})
    assert whole.vacuum() == [whole.root / DISTRIBUTIONS_FILE]
    assert all(place.archived for place in whole.placements(DISTRIBUTIONS, keys).values())
    assert len(whole.placements(DISTRIBUTIONS, keys)) == 2
    move(whole, DISTRIBUTIONS_ARCHIVE, DISTRIBUTIONS, keys, {})
    whole.vacuum()
    assert whole.get(DISTRIBUTIONS, keys).num_rows == 2
    assert whole.verify() == []


def test_a_damaged_file_whose_writer_died_is_found_like_any_other(whole: ParquetStore) -> None:
    state(whole, "INSERT INTO pending VALUES ('audiences', 'user123', 202505)")
    (whole.root / MAY_FILE).write_bytes(b"garbage")
    for repair in (False, True):
        findings = whole.verify(repair=repair)
        assert [(finding.kind, finding.object) for finding in findings] == [
            ("unreadable file", str(whole.root / MAY_FILE))
        ]
    assert whole.vacuum() == []
    with pytest.raises(CorruptionError, match="audiences_2025_05"):
        put(whole, AUDIENCES, audience(9))
