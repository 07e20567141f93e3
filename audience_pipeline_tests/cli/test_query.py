"""`query` and `sql`: rows on stdout in three formats, everything else on stderr."""

import csv
import io
import json
from pathlib import Path

import pytest

from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline.tables import AUDIENCES
from audience_pipeline_tests.cli.conftest import Command
from audience_pipeline_tests.queries.test_answers import archive
from audience_pipeline_tests.queries.world import ANA, SEGMENTS, audience, day, put, uid

pytestmark = pytest.mark.usefixtures("stored")

HISTORY = ("query", "distribution-history", "--user-id", ANA, "--audience-id", uid(1))


def test_json_is_one_array_with_times_in_utc_and_json_inside(command: Command) -> None:
    result = command("query", "audience-detail", "--audience-id", uid(1), "--format", "json")
    (row,) = json.loads(result.stdout)
    assert result.exit_code == 0
    assert row["created_at"] == "2025-01-01T00:00:00.000Z"
    assert [segment["segment_id"] for segment in row["segments"]] == [segment["segment_id"] for segment in SEGMENTS]
    assert row["selected_variables"] == []
    assert row["description"] is None
    assert list(row) == list(AUDIENCES.column_names)


def test_csv_has_a_header_and_a_line_a_row(command: Command) -> None:
    result = command("query", "user-audiences", "--user-id", ANA, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [row["audience_id"] for row in rows] == [uid(2), uid(3), uid(1)]
    assert rows[0]["created_at"] == "2025-02-01T00:00:00.000Z"
    assert json.loads(rows[0]["segments"])[0]["size"] == 1200
    assert rows[0]["description"] == ""


def test_nothing_found_is_an_empty_answer_in_every_format(command: Command) -> None:
    arguments = ("query", "active-platforms", "--user-id", "nobody", "--format")
    assert command(*arguments, "json").stdout == "[]\n"
    assert command(*arguments, "csv").stdout.startswith("platform_id,user_id,platform_type,")
    assert command(*arguments, "table").stdout == "No rows.\n"


def test_a_wide_row_is_shown_as_a_block_within_the_terminal(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "70")
    lines = command("query", "audience-detail", "--audience-id", uid(1)).stdout.splitlines()
    assert lines[0].startswith("── 1 ──")
    assert lines[1].split() == ["audience_id", uid(1)]
    assert max(map(len, lines)) <= 70
    assert lines[-1] == "(1 row)"


def test_narrow_rows_are_shown_side_by_side(command: Command) -> None:
    result = command("sql", "SELECT user_id, count(*) AS n FROM audiences GROUP BY ALL ORDER BY n")
    assert [line.split() for line in result.stdout.splitlines()[0:4:2]] == [["user_id", "n"], ["ben/../x=y%", "1"]]
    assert result.stdout.splitlines()[-1] == "(2 rows)"


def test_text_that_would_steer_the_terminal_is_shown_as_escapes(command: Command, data_dir: Path) -> None:
    with ParquetStore(data_dir) as store:
        put(store, AUDIENCES, audience(30, ANA, day(1), name="\x1b[2Jgone\nnext"))
    output = command("query", "user-audiences", "--user-id", ANA).stdout
    assert "\x1b" not in output
    assert r"\x1b[2Jgone\nnext" in output


def test_archived_rows_are_mentioned_on_stderr_and_shown_when_asked_for(command: Command, stored: Path) -> None:
    with ParquetStore(stored) as store:
        archive(store, 10)
    live = command(*HISTORY, "--format", "json")
    assert [row["distribution_id"] for row in json.loads(live.stdout)] == [uid(11)]
    assert live.stderr == "1 archived distribution is not shown; --include-archive shows it.\n"
    together = command(*HISTORY, "--format", "json", "--include-archive")
    assert [row["distribution_id"] for row in json.loads(together.stdout)] == [uid(11), uid(10)]
    assert together.stderr == ""


def test_recent_distributions_take_a_moment_and_a_limit(command: Command) -> None:
    arguments = ("query", "recent-distributions", "--user-id", ANA, "--since", "2025-01-01T02:00:00+02:00")
    assert len(json.loads(command(*arguments, "--format", "json").stdout)) == 2
    assert len(json.loads(command(*arguments, "--limit", "1", "--format", "json").stdout)) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("query", "audiences"), "expected one of user-audiences, audience-detail"),
        (("query", "user-audiences"), "user-audiences: found no user_id"),
        (("query", "user-audiences", "--user-id", "a", "--limit", "1"), "found limit, which it does not take"),
        (("query", "recent-distributions", "--user-id", "a", "--since", "yesterday"), "expected a moment in ISO 8601"),
        (("query", "user-audiences", "--user-id", "a", "--format", "xml"), "xml"),
        (("sql", "DROP VIEW users"), "statement: found DROP"),
        (("sql", "SELECT 1 FROM glob('*')", "--user-id", ANA), "found the function glob"),
        (("sql",), "STATEMENT"),
    ],
)
def test_wrong_usage_ends_with_two_and_says_what_is_right(
    command: Command, arguments: tuple[str, ...], message: str
) -> None:
    result = command(*arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_sql_shows_json_columns_as_json(command: Command) -> None:
    statement = f"SELECT segments, created_at, total_audience_size FROM audiences WHERE audience_id = '{uid(1)}'"  # noqa: S608 - this test's own text
    (row,) = json.loads(command("sql", statement, "--format", "json").stdout)
    assert row["segments"][0]["name"] == "Young Digerati"
    assert row["created_at"] == "2025-01-01T00:00:00.000Z"
    assert row["total_audience_size"] == 10_000


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("sum(1::BIGINT)", 1),
        ("1.50::DECIMAL(5, 2)", 1.5),
        ("DATE '2025-05-01'", "2025-05-01"),
        ("TIMESTAMPTZ '2025-05-01 02:00:00+02'", "2025-05-01T00:00:00.000Z"),
        ("[TIMESTAMP '2025-05-01']", ["2025-05-01T00:00:00.000Z"]),
        ("{'a': NULL, 'b': true}", {"a": None, "b": True}),
        ("'NaN'::DOUBLE", None),
        ("['-infinity'::FLOAT, 1.5]", [None, 1.5]),
        ("170141183460469231731687303715884105727::HUGEINT", 2**127 - 1),
        ("340282366920938463463374607431768211455::UHUGEINT", str(2**128 - 1)),
        ("[340282366920938463463374607431768211455::UHUGEINT]", f"[{2**128 - 1}]"),
        ("123456789012345678901234567890::BIGNUM", "123456789012345678901234567890"),
        ("'101'::BIT", "101"),
        ("TIMETZ '01:02:03+02'", "01:02:03+02"),
        ("'\\xAA\\x00b'::BLOB", "qgBi"),
        ("INTERVAL '1 month -2 days 3.5 seconds'", "P1M-2DT3.5S"),
        ("[INTERVAL '100 minutes', INTERVAL '0 days']", ["PT6000S", "PT0S"]),
        ("MAP {'a': 1, 'b': NULL}", [{"key": "a", "value": 1}, {"key": "b", "value": None}]),
        (
            "[MAP {DATE '2025-05-01': TIMESTAMP '2025-05-01'}]",
            [[{"key": "2025-05-01", "value": "2025-05-01T00:00:00.000Z"}]],
        ),
        ("TIMESTAMP 'infinity'", "infinity"),
        ("DATE '-infinity'", "-infinity"),
        ("[{'a': TIMESTAMPTZ 'infinity'}]", [{"a": "infinity"}]),
        ("union_value(a := TIMESTAMP 'infinity')", "infinity"),
        ("[{'a': 1}::VARIANT]", "[{'a': 1}]"),
        ("'POINT(1 2)'::GEOMETRY", "POINT (1 2)"),
        ("'10:00:00.123456789'::TIME_NS", "10:00:00.123456789"),
        ("TIMESTAMP '290000-01-01'", "<value out of range: 9089348860800000000>"),
        ("[[]]", [[]]),
        ("NULL", None),
    ],
)
def test_values_of_every_kind_are_json(command: Command, expression: str, expected: object) -> None:
    result = command("sql", f"SELECT {expression} AS value", "--format", "json")
    assert json.loads(result.stdout) == [{"value": expected}]
    assert [command("sql", f"SELECT {expression}", "--format", form).exit_code for form in ("csv", "table")] == [0, 0]


def test_numbers_are_written_as_they_are(command: Command) -> None:
    statement = "SELECT 12345678901234567890.123456789::DECIMAL(38, 9) AS a, 9007199254740993 AS b"
    assert command("sql", statement, "--format", "json").stdout == (
        '[{"a":12345678901234567890.123456789,"b":9007199254740993}]\n'
    )
