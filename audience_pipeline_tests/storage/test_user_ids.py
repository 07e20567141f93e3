"""Any non-empty text is a user id: it names one directory, stays inside it, and every reader gives it back."""

import tempfile
from pathlib import Path

import duckdb
import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from audience_pipeline.storage.contract import Query
from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline.tables import AUDIENCES, DISTRIBUTIONS, USERS
from audience_pipeline.tables.tenant import encode_user_id, user_id_problem
from audience_pipeline_tests.storage.builders import MAY, audience, distribution, put, user, uuid

ODD = [
    "../../etc/passwd",
    "..",
    ".",
    "/",
    "/absolute",
    "a/b=c%",
    "%2F",
    "%",
    "user_id=x",
    "year=2025",
    "with space ",
    "tab\tand\nnewline\r",
    "quote ' and \"",
    "back\\slash",
    "*?[a-z]{b,c}",
    "~root",
    "$HOME `id`",
    "\N{PARTY POPPER}",
    "e\N{COMBINING ACUTE ACCENT}",
    "\N{LATIN SMALL LETTER E WITH ACUTE}",
    "null",
    "0123",
    "1e5",
    "2025-05-03",
    "-rf",
    "__HIVE_DEFAULT_PARTITION",
    "x" * 240,
    "\N{PARTY POPPER}" * 20,
]
USER_IDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40).filter(lambda text: not user_id_problem(text))


def paths_below(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]


def check_read_back(users: list[str]) -> None:
    """Store rows of users and read them with every program; look for files outside the tables' directories."""
    with tempfile.TemporaryDirectory() as outer:
        root = Path(outer) / "in" / "data"
        with ParquetStore(root) as store:
            put(store, AUDIENCES, *(audience(number, user_id=each) for number, each in enumerate(users)))
            put(store, USERS, *(user(each) for each in users))
            for number, each in enumerate(users):
                found = store.read(AUDIENCES, Query(user_id=each, columns=["audience_id"]))
                assert found.column("audience_id").to_pylist() == [uuid(number)]
                assert store.get(USERS, [each]).column("user_id").to_pylist() == [each]
            assert store.verify() == []
        names = [path.relative_to(root / "audiences") for path in paths_below(root / "audiences")]
        assert sorted(path.parts[0] for path in names) == sorted(f"user_id={encode_user_id(each)}" for each in users)
        assert {path.parts[1:] for path in names} == {("year=2025", "month=05", "audiences_2025_05.parquet")}
        assert {path.relative_to(outer).parts[:2] for path in paths_below(Path(outer))} == {("in", "data")}
        assert {path.name for path in root.iterdir()} <= {"_state", "audiences", "users"}
        assert read_by_others(root) == [sorted(users)] * 5


def read_by_others(root: Path) -> list[list[str]]:
    """Return the sorted user ids each program finds in the files; Hive readers take them from the directory."""
    glob = f"{root}/audiences/**/*.parquet"
    table = pq.read_table(root / "audiences", partitioning=None, columns=["user_id"])
    found = [table.column("user_id").to_pylist()]
    with duckdb.connect() as connection:
        for options in ("hive_partitioning = false", "hive_partitioning = true, hive_types_autocast = false"):
            rows = connection.sql(f"SELECT user_id FROM read_parquet('{glob}', {options})").fetchall()  # noqa: S608
            found.append([user_id for (user_id,) in rows])
    for hive in (False, True):
        schema = {"user_id": pl.String, "year": pl.String, "month": pl.String} if hive else None
        frame = pl.read_parquet(glob, hive_partitioning=hive, hive_schema=schema)
        found.append(frame["user_id"].to_list())
    return [sorted(each) for each in found]


def test_odd_user_ids_are_read_back_by_every_program() -> None:
    check_read_back(ODD)


@settings(max_examples=15)
@given(st.lists(USER_IDS, min_size=1, max_size=6, unique=True))
@example(["a", "A", "a "])
@example(["a", "a/", "a%2F"])
def test_any_user_ids_are_read_back_by_every_program(users: list[str]) -> None:
    check_read_back(users)


@given(USER_IDS)
def test_a_user_id_is_one_directory_name(user_id: str) -> None:
    encoded = encode_user_id(user_id)
    assert "/" not in encoded
    assert "\0" not in encoded
    assert len(f"user_id={encoded}".encode()) <= 255


@pytest.mark.parametrize("user_id", ODD, ids=range(len(ODD)))
def test_every_verb_takes_odd_user_ids(parquet: ParquetStore, user_id: str) -> None:
    put(parquet, DISTRIBUTIONS, distribution(user_id=user_id))
    assert parquet.reserve(DISTRIBUTIONS, {uuid(2): (user_id, 202505)}, MAY) == {}
    assert parquet.inserted_in_month(DISTRIBUTIONS, user_id, 202508) == 1
    assert parquet.placements(DISTRIBUTIONS, [uuid(1)])[uuid(1)].user_id == user_id
    with parquet.user_lock(user_id):
        put(parquet, DISTRIBUTIONS, distribution(user_id=user_id, scheduled_at=MAY), distribution(2, user_id=user_id))
    assert len(parquet.files(DISTRIBUTIONS, user_id=user_id)) == 1
