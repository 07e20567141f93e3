"""`quarantine`: refused records listed, shown and tried again, each by its digest and table."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from audience_pipeline_tests.cli.conftest import Command
from audience_pipeline_tests.ingest.builders import audience, distribution, platform, write

COUNTS = ("read", "inserted", "updated", "unchanged", "stale", "rejected")


@pytest.fixture
def sent(tmp_path: Path) -> Path:
    return tmp_path / "sent"


def answers(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def counts(result: Result) -> tuple[object, ...]:
    (answer,) = answers(result)
    return tuple(answer[name] for name in COUNTS)


def test_the_quarantine_lists_shows_and_retries(command: Command, sent: Path) -> None:
    command("ingest", "distributions", str(write(sent / "d.ndjson", [distribution(), b"broken"])))
    listed = json.loads(command("quarantine", "list", "--format", "json").stdout)
    assert [(row["table"], row["line"], row["waiting_for"]) for row in listed] == [
        ("distributions", 1, "audiences, platforms"),
        ("distributions", 2, ""),
    ]
    shown = json.loads(command("quarantine", "show", listed[0]["digest"][:8]).stdout)
    assert json.loads(shown["record"]) == distribution()
    assert {problem["code"] for problem in shown["problems"]} == {"reference_missing"}
    again = command("quarantine", "retry", listed[1]["digest"])
    assert again.exit_code == 3
    assert counts(again) == (1, 0, 0, 0, 0, 1)
    command("ingest", "audiences", str(write(sent / "a.ndjson", [audience()])))
    command("ingest", "platforms", str(write(sent / "p.ndjson", [platform()])))
    left = json.loads(command("quarantine", "list", "--format", "json").stdout)
    assert [row["line"] for row in left] == [2]
    assert command("quarantine", "list", "--table", "users").stdout == "No rows.\n"


@pytest.mark.parametrize("arguments", [("show", "abcdef"), ("retry",), ("retry", "abcdef")])
def test_a_retry_or_show_of_nothing_is_wrong_usage(command: Command, arguments: tuple[str, ...]) -> None:
    result = command("quarantine", *arguments)
    assert result.exit_code == 2
    assert "quarantine list" in result.stderr


@pytest.mark.parametrize("arguments", [("list",), ("retry",), ("show", "abcdef"), ("retry", "abcdef")])
def test_a_table_that_is_none_is_wrong_usage(command: Command, arguments: tuple[str, ...]) -> None:
    result = command("quarantine", *arguments, "--table", "nope")
    assert result.exit_code == 2
    expected = "Error: --table: found 'nope', expected users, audiences, platforms, distributions."
    assert result.stderr.startswith(expected)


def test_one_content_refused_in_two_tables_is_told_apart_by_the_table(command: Command, sent: Path) -> None:
    broken = str(write(sent / "broken.ndjson", [b"broken"]))
    for table in ("audiences", "users"):
        assert command("ingest", table, broken).exit_code == 3
    digest = json.loads(command("quarantine", "list", "--format", "json").stdout)[0]["digest"]
    ambiguous = command("quarantine", "show", digest)
    assert ambiguous.exit_code == 2
    assert "found 2 entries in audiences and users" in ambiguous.stderr
    assert "--table" in ambiguous.stderr
    for table in ("audiences", "users"):
        assert json.loads(command("quarantine", "show", digest, "--table", table).stdout)["table"] == table
        assert [answer["table"] for answer in answers(command("quarantine", "retry", digest, "--table", table))] == [
            table
        ]
    assert "found 0 entries in platforms" in command("quarantine", "show", digest, "--table", "platforms").stderr


def test_a_damaged_quarantine_is_told_with_what_to_do_and_loses_no_record(command: Command, sent: Path) -> None:
    path = write(sent / "d.ndjson", [b"broken"])
    quarantine = Path(answers(command("ingest", "distributions", str(path)))[0]["quarantine"])
    quarantine.write_bytes(b"no database at all")
    for arguments in (("quarantine", "list"), ("ingest", "users", str(path))):
        result = command(*arguments)
        assert result.exit_code == 1
        assert "Restore it from a backup, or move its directory away" in " ".join(result.stderr.split())
    quarantine.unlink()
    assert counts(command("ingest", "users", str(path))) == (1, 0, 0, 0, 0, 1)


def test_a_retry_answers_like_an_ingest(command: Command, data_dir: Path, sent: Path) -> None:
    command("ingest", "audiences", str(write(sent / "a.ndjson", [b"broken"])))
    command("ingest", "distributions", str(write(sent / "d.ndjson", [distribution()])))
    first, second = answers(command("quarantine", "retry", "--all"))
    assert list(first) == list(second) == ["table", *COUNTS, "quarantine"]
    assert first["quarantine"] == str(data_dir.with_name("quarantine") / "quarantine.sqlite")
