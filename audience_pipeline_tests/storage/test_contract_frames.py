"""The contract of upsert: a frame that breaks the declaration is refused as a whole, with a text that helps."""

from collections.abc import Callable

import pyarrow as pa
import pytest

from audience_pipeline.errors import PipelineError, RefusedError, SecurityError
from audience_pipeline.storage.contract import TableStore
from audience_pipeline.tables import AUDIENCES, PLATFORMS, USERS, Table
from audience_pipeline_tests.storage.builders import Row, audience, frame, json, platform, put, stored, user, uuid

Break = Callable[[pa.Table], pa.Table]


def refused(store: TableStore, table: Table, rows: pa.Table) -> str:
    """Upsert rows that must be refused as a whole; return the error's text."""
    with pytest.raises((RefusedError, SecurityError)) as caught:
        store.upsert(table, rows)
    assert stored(store, table) == {}
    assert all((caught.value.object, caught.value.found, caught.value.expected, caught.value.remedy))
    return str(caught.value)


def column(name: str, values: list[object], kind: pa.DataType) -> Break:
    """Return what puts a column in place of one of the frame's, or beside them."""

    def put_column(rows: pa.Table) -> pa.Table:
        array = pa.array(values, kind)
        if name in rows.column_names:
            return rows.set_column(rows.column_names.index(name), name, array)
        return rows.append_column(name, array)

    return put_column


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (column("colour", ["red", "blue"], pa.string()), ["colour", "unknown"]),
        (lambda rows: rows.drop_columns(["name", "status"]), ["name", "status"]),
        (column("updated_at", ["2025-05-03", "2025-05-03"], pa.string()), ["updated_at", "string", "timestamp"]),
        (column("total_audience_size", [1.5, 2.0], pa.float64()), ["total_audience_size", "int64"]),
        (column("total_audience_size", ["1", "2"], pa.string()), ["total_audience_size", "int64"]),
        (column("selected_variables", ["V1", "V2"], pa.string()), ["selected_variables", "strings"]),
        (column("selected_variables", [[1], [2]], pa.list_(pa.int64())), ["selected_variables", "strings"]),
        (column("metadata", [{"notes": "n"}, None], pa.struct([("notes", pa.string())])), ["metadata", "json"]),
        (column("name", [1, 2], pa.int64()), ["name", "string"]),
    ],
    ids=[
        "unknown column",
        "missing columns",
        "text for a time",
        "fractions",
        "text for a number",
        "text for an array",
        "numbers in an array",
        "struct for JSON",
        "number for text",
    ],
)
def test_columns_that_are_not_the_declared_ones_are_refused(store: TableStore, broken: Break, says: list[str]) -> None:
    text = refused(store, AUDIENCES, broken(frame(AUDIENCES, [audience(1), audience(2)]))).lower()
    assert [word for word in says if word not in text] == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"name": None}, ["audiences.name", "None", "1 of 2 rows"]),
        ({"user_id": None}, ["audiences.user_id", "None"]),
        ({"updated_at": None}, ["audiences.updated_at", "None"]),
        ({"status": "busy"}, ["audiences.status", "busy", "draft | active | archived"]),
        ({"data_type": "stolen"}, ["audiences.data_type", "stolen", "clean_room"]),
        ({"audience_id": "17"}, ["audiences.audience_id", "'17'", "UUID"]),
        ({"audience_id": uuid(1) + "\n"}, ["audiences.audience_id", "UUID"]),
        ({"total_audience_size": -1}, ["audiences.total_audience_size", "-1", "at least 0"]),
        ({"metadata": "{"}, ["audiences.metadata", "row 1"]),
        ({"metadata": "[]"}, ["audiences.metadata", "row 1"]),
        ({"metadata": json({"color": 1})}, ["audiences.metadata", "row 1", "color"]),
        ({"metadata": json({"notes": 1})}, ["audiences.metadata", "row 1", "notes"]),
        ({"segments": json([{"segment_id": "s"}])}, ["audiences.segments", "row 1"]),
        ({"segments": json([{"segment_id": "s", "name": "n", "size": -1}])}, ["audiences.segments", "row 1"]),
        ({"variable_details": json([{"code": "c", "relevance_score": 2}])}, ["audiences.variable_details", "row 1"]),
        ({"segments": "[" * 5000 + "]" * 5000}, ["audiences.segments", "row 1"]),
        (
            {"segments": '[{"segment_id":"s","name":"n","size":1,"characteristics":18446744073709551616}]'},
            ["audiences.segments", "row 1"],
        ),
        (
            {"segments": '[{"segment_id":"s","name":"n","size":1,"characteristics":1e999}]'},
            ["audiences.segments", "row 1"],
        ),
        (
            {"segments": '[{"segment_id":"s","name":"n","size":1,"characteristics":"\\ud800"}]'},
            ["audiences.segments", "row 1"],
        ),
    ],
    ids=lambda value: (
        ", ".join(f"{name} {text!s:.20}" for name, text in value.items()) if isinstance(value, dict) else ""
    ),
)
def test_one_bad_value_refuses_the_frame_and_is_named(store: TableStore, change: Row, says: list[str]) -> None:
    text = refused(store, AUDIENCES, frame(AUDIENCES, [audience(1), audience(2) | change]))
    assert [word for word in says if word not in text] == []


@pytest.mark.parametrize(
    "user_id",
    ["", "__HIVE_DEFAULT_PARTITION__", "nul\0inside", "x" * 241, "\N{PARTY POPPER}" * 21],
    ids=["empty", "Hive's null", "null character", "241 bytes", "252 bytes once encoded"],
)
@pytest.mark.parametrize(("table", "row"), [(AUDIENCES, audience()), (USERS, user())], ids=["audiences", "users"])
def test_an_illegal_user_id_is_refused(store: TableStore, table: Table, row: Row, user_id: str) -> None:
    text = refused(store, table, frame(table, [row | {"user_id": user_id}]))
    assert f"{table.name}.user_id" in text


def test_a_platform_type_is_lower_snake_case(store: TableStore) -> None:
    put(store, PLATFORMS, platform(1, platform_type="a_connector_nobody_knows"))
    for number, wrong in enumerate(["The Trade Desk", "ttd-1", "_x", ""], start=2):
        with pytest.raises(RefusedError, match="lower_snake_case"):
            store.upsert(PLATFORMS, frame(PLATFORMS, [platform(number, platform_type=wrong)]))


@pytest.mark.parametrize(
    "credentials",
    [
        {"api_key": "canary-secret", "account_id": "a"},
        {"encrypted": True, "api_key": "canary-secret"},
        {"encrypted": True, "additional_config": {"token": "canary-secret"}},
        {"encrypted": False, "password": "canary-secret"},
        ["canary-secret"],
        "canary-secret",
    ],
    ids=["plain", "claims to be encrypted", "plain object", "unknown field", "array", "text"],
)
@pytest.mark.parametrize("canonical", [True, False])
def test_secrets_in_plain_text_are_refused_and_not_repeated(
    store: TableStore, credentials: object, *, canonical: bool
) -> None:
    rows = frame(PLATFORMS, [platform(credentials=json(credentials))])
    with pytest.raises(PipelineError) as caught:
        store.upsert(PLATFORMS, rows, canonical=canonical)
    assert stored(store, PLATFORMS) == {}
    assert "canary" not in str(caught.value)
    assert "credentials" in str(caught.value)


def test_values_that_are_null_all_over_need_no_type(store: TableStore) -> None:
    rows = frame(AUDIENCES, [audience()])
    for name in ("description", "total_audience_size", "metadata", "selected_variables"):
        rows = rows.append_column(name, pa.nulls(1))
    assert store.upsert(AUDIENCES, rows).inserted == 1


def test_text_may_come_as_large_text_views_or_dictionaries(store: TableStore) -> None:
    rows = frame(AUDIENCES, [audience(1), audience(2)])
    for name, kind in (("name", pa.large_string()), ("description", pa.string_view())):
        rows = column(name, ["a", "b"], kind)(rows)
    rows = rows.set_column(rows.column_names.index("status"), "status", rows.column("status").dictionary_encode())
    assert store.upsert(AUDIENCES, rows).inserted == 2


def test_numbers_may_come_as_narrower_integers(store: TableStore) -> None:
    rows = column("total_audience_size", [7], pa.int16())(frame(AUDIENCES, [audience()]))
    assert store.upsert(AUDIENCES, rows).inserted == 1
    assert store.read(AUDIENCES).column("total_audience_size").to_pylist() == [7]


def test_a_number_beyond_64_bits_is_refused(store: TableStore) -> None:
    rows = column("total_audience_size", [2**63], pa.uint64())(frame(AUDIENCES, [audience()]))
    assert "total_audience_size" in refused(store, AUDIENCES, rows)


def test_a_read_only_column_of_the_archive_cannot_be_smuggled_in(store: TableStore) -> None:
    rows = column("archived_at", [None], pa.timestamp("ms"))(frame(AUDIENCES, [audience()]))
    assert "archived_at" in refused(store, AUDIENCES, rows)
