"""The bytes are the documented ones: paths, names, columns and types, spelled out here as the requirement has them."""

from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline.tables import AUDIENCES, DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE, PLATFORMS, USERS, Table
from audience_pipeline_tests.storage.builders import (
    JUNE,
    NOW,
    Row,
    audience,
    distribution,
    full_audience,
    move,
    platform,
    put,
    sealed,
    stored,
    user,
    uuid,
)

AUDIENCES_SCHEMA = pa.schema(
    [
        pa.field("audience_id", pa.string()),
        pa.field("user_id", pa.string()),
        pa.field("name", pa.string()),
        pa.field("description", pa.string()),
        pa.field("created_at", pa.timestamp("ms")),
        pa.field("updated_at", pa.timestamp("ms")),
        pa.field("status", pa.string()),
        pa.field("data_type", pa.string()),
        pa.field("original_query", pa.string()),
        pa.field("selected_variables", pa.list_(pa.string())),
        pa.field("variable_details", pa.string()),
        pa.field("segments", pa.string()),
        pa.field("total_audience_size", pa.int64()),
        pa.field("metadata", pa.string()),
    ]
)
PLATFORMS_SCHEMA = pa.schema(
    [
        pa.field("platform_id", pa.string()),
        pa.field("user_id", pa.string()),
        pa.field("platform_type", pa.string()),
        pa.field("name", pa.string()),
        pa.field("created_at", pa.timestamp("ms")),
        pa.field("updated_at", pa.timestamp("ms")),
        pa.field("status", pa.string()),
        pa.field("credentials", pa.string()),
        pa.field("settings", pa.string()),
        pa.field("last_sync", pa.timestamp("ms")),
        pa.field("sync_status", pa.string()),
    ]
)
DISTRIBUTIONS_SCHEMA = pa.schema(
    [
        pa.field("distribution_id", pa.string()),
        pa.field("user_id", pa.string()),
        pa.field("audience_id", pa.string()),
        pa.field("platform_id", pa.string()),
        pa.field("created_at", pa.timestamp("ms")),
        pa.field("scheduled_at", pa.timestamp("ms")),
        pa.field("executed_at", pa.timestamp("ms")),
        pa.field("status", pa.string()),
        pa.field("distribution_type", pa.string()),
        pa.field("segments_distributed", pa.list_(pa.string())),
        pa.field("match_results", pa.string()),
        pa.field("error_details", pa.string()),
        pa.field("metadata", pa.string()),
    ]
)
USERS_SCHEMA = pa.schema(
    [
        pa.field("user_id", pa.string()),
        pa.field("email", pa.string()),
        pa.field("organization", pa.string()),
        pa.field("created_at", pa.timestamp("ms")),
        pa.field("last_login", pa.timestamp("ms")),
        pa.field("permissions", pa.list_(pa.string())),
        pa.field("quota", pa.string()),
    ]
)
DOCUMENTED: dict[str, tuple[Table, Row, pa.Schema]] = {
    "audiences/user_id=user123/year=2025/month=05/audiences_2025_05.parquet": (
        AUDIENCES,
        full_audience(),
        AUDIENCES_SCHEMA,
    ),
    "platforms/user_id=user123/platforms.parquet": (
        PLATFORMS,
        platform(credentials=sealed(platform())),
        PLATFORMS_SCHEMA,
    ),
    "distributions/user_id=user123/year=2025/month=05/distributions_2025_05.parquet": (
        DISTRIBUTIONS,
        distribution(),
        DISTRIBUTIONS_SCHEMA,
    ),
    "users/user_id=user123/users.parquet": (USERS, user(), USERS_SCHEMA),
}


def live_files(root: Path) -> set[str]:
    """Return what lies in the tables' directories, relative to the data directory."""
    found = (path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
    return {name for name in found if not name.startswith("_state/")}


def test_every_file_is_where_it_is_documented_to_be_and_nothing_else(parquet: ParquetStore) -> None:
    for table, row, _ in DOCUMENTED.values():
        put(parquet, table, row)
    assert live_files(parquet.root) == set(DOCUMENTED)


@pytest.mark.parametrize("path", DOCUMENTED, ids=lambda path: path.partition("/")[0])
def test_a_file_has_the_documented_columns_and_types_field_by_field(parquet: ParquetStore, path: str) -> None:
    table, row, schema = DOCUMENTED[path]
    put(parquet, table, row)
    found = pq.read_schema(parquet.root / path)
    assert [(field.name, field.type, field.nullable) for field in found] == [
        (field.name, field.type, field.nullable) for field in schema
    ]


def test_an_emptied_file_stays_and_keeps_its_columns(parquet: ParquetStore) -> None:
    put(parquet, DISTRIBUTIONS, distribution(status="failed"))
    move(parquet, DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE, [uuid(1)], {"archived_at": NOW})
    path = parquet.root / "distributions/user_id=user123/year=2025/month=05/distributions_2025_05.parquet"
    assert pq.read_table(path, partitioning=None).num_rows == 0
    assert pq.read_schema(path).equals(DISTRIBUTIONS_SCHEMA)
    archived = "distributions_archive/user_id=user123/year=2025/month=05/distributions_archive_2025_05.parquet"
    extra = pa.field("archived_at", pa.timestamp("ms"))
    assert pq.read_schema(parquet.root / archived).equals(DISTRIBUTIONS_SCHEMA.append(extra))


def test_a_month_is_the_utc_month_of_the_creation(parquet: ParquetStore) -> None:
    edge = JUNE.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    before = edge.replace(year=2024, month=12, day=31, hour=23, minute=59, second=59, microsecond=999000)
    put(parquet, AUDIENCES, audience(1, created_at=edge), audience(2, created_at=before))
    assert live_files(parquet.root) == {
        "audiences/user_id=user123/year=2025/month=06/audiences_2025_06.parquet",
        "audiences/user_id=user123/year=2024/month=12/audiences_2024_12.parquet",
    }


def test_a_replay_rewrites_no_file(parquet: ParquetStore) -> None:
    put(parquet, AUDIENCES, full_audience())
    (path,) = (parquet.root / name for name in live_files(parquet.root))
    before = path.stat()
    put(parquet, AUDIENCES, full_audience())
    after = path.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_change_rewrites_the_file_of_its_own_month_only(parquet: ParquetStore) -> None:
    put(parquet, AUDIENCES, audience(1), audience(2, created_at=JUNE), audience(3, user_id="other"))
    inodes = {name: (parquet.root / name).stat().st_ino for name in live_files(parquet.root)}
    put(parquet, AUDIENCES, audience(1, name="b", updated_at=NOW), audience(2, created_at=JUNE))
    changed = {name for name, inode in inodes.items() if (parquet.root / name).stat().st_ino != inode}
    assert changed == {"audiences/user_id=user123/year=2025/month=05/audiences_2025_05.parquet"}


def test_every_glob_over_the_tables_meets_live_files_only(parquet: ParquetStore) -> None:
    put(parquet, AUDIENCES, audience(1))
    (parquet.root / "_state" / "staging" / "dead").mkdir()
    (parquet.root / "_state" / "staging" / "dead" / "0.parquet").write_bytes(b"half a file")
    for name in ("audiences", "platforms", "distributions", "users"):
        assert {path.name for path in (parquet.root / name).rglob("*")} <= {
            "user_id=user123",
            "year=2025",
            "month=05",
            "audiences_2025_05.parquet",
        }


@pytest.mark.parametrize("hive", [True, False])
def test_other_programs_read_the_rows_as_they_were_given(parquet: ParquetStore, *, hive: bool) -> None:
    row = full_audience()
    put(parquet, AUDIENCES, row)
    glob = f"{parquet.root}/audiences/**/*.parquet"
    with duckdb.connect() as connection:
        found = connection.sql("SELECT * FROM read_parquet(?, hive_partitioning = ?)", params=[glob, hive])
        assert found.to_arrow_table().select(list(row)).to_pylist() == [row]
    scanned = pl.read_parquet(glob, hive_partitioning=hive, try_parse_hive_dates=False)
    assert scanned.select(list(row)).to_dicts() == [row]
    assert pq.read_table(parquet.root / "audiences", partitioning=None).to_pylist() == [row]


def test_a_data_directory_may_have_any_name(tmp_path: Path) -> None:
    for name in ("[a-z]", "star * and ?", "sp ace", "it's {1,2}", "per%20cent", "\N{PARTY POPPER}"):
        with ParquetStore(tmp_path / name) as store:
            put(store, AUDIENCES, audience(1), audience(2, created_at=JUNE))
            put(store, AUDIENCES, audience(1, name="b", updated_at=NOW))
            assert set(stored(store)) == {uuid(1), uuid(2)}
            assert store.get(AUDIENCES, [uuid(1)]).column("name").to_pylist() == ["b"]
            assert store.verify() == []


def test_a_relative_data_directory_stays_where_it_was_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with ParquetStore(Path("data")) as store:
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        put(store, AUDIENCES, audience())
        assert set(stored(store)) == {uuid(1)}
    assert live_files(tmp_path / "data")


def test_only_the_owner_can_enter_the_data_directory(parquet: ParquetStore) -> None:
    assert parquet.root.stat().st_mode & 0o077 == 0
