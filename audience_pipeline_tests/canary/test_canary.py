"""A platform's credentials are in no byte that any command or job writes, in whatever form."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer.main

from audience_pipeline.cli import app
from audience_pipeline.definitions import build_defs
from audience_pipeline.partitions import RANGE_END, RANGE_START
from audience_pipeline_tests.canary.echo import Echo, echo
from audience_pipeline_tests.canary.installation import API_KEY, PLAIN, SECRETS, Installation
from audience_pipeline_tests.canary.searching import forms, leaks
from audience_pipeline_tests.ingest.builders import USER, audience, distribution, line, platform, segment, user, uuid
from audience_pipeline_tests.sandbox_process import Sandbox

NOW = datetime.now(UTC)
SOON = (NOW + timedelta(days=2)).isoformat()
RECENT = (NOW - timedelta(days=3)).isoformat()
OLD = "2025-03-01T00:00:00Z"
HURRIED = {"retry_seconds": "0.01", "poll_seconds": "0.01", "hold_seconds": "0.01", "max_attempts": "4"}


@pytest.mark.parametrize("secret", SECRETS)
def test_the_search_finds_a_secret_in_every_form_and_in_compressed_columns(tmp_path: Path, secret: str) -> None:
    for number, form in enumerate(forms(secret).values()):
        (tmp_path / f"{number}.bin").write_bytes(b"xy" + form + b"z")
    pq.write_table(pa.table({"a": [{"b": [f"in {secret}"]}]}), tmp_path / "rows.parquet", compression="zstd")
    assert {path for path, _ in leaks(tmp_path, [secret])} == {path.name for path in tmp_path.iterdir()}
    assert leaks(tmp_path, ["canary of another kind"]) == []


@pytest.fixture
def loud() -> Iterator[Echo]:
    with echo() as server:
        yield server


@pytest.mark.prove
@pytest.mark.filterwarnings("ignore::dagster.BetaWarning", "ignore::dagster.PreviewWarning")
def test_no_command_or_job_writes_a_secret(tmp_path: Path, loud: Echo) -> None:
    home = Installation(tmp_path / "home", tmp_path / "sent")
    with Sandbox(home.directory / "sandbox.sqlite") as sandbox:
        _land(home)
        _deliver(home, sandbox, loud)
        _maintain(home)
        kept = _run_jobs(home, sandbox, loud)
    used = [*home.used, "sandbox"]
    assert [each for each in _commands() if not any(f"{one} ".startswith(f"{each} ") for one in used)] == []
    assert any(form.decode("latin-1") in heard for heard in loud.heard for form in forms(API_KEY).values())
    assert leaks(home.directory, SECRETS, apart_from=kept) == []


def _land(home: Installation) -> None:
    plain = platform(2, credentials=PLAIN)
    home.run("migrate")
    home.ingest("users", user())
    home.ingest("audiences", audience(total_audience_size=1000, segments=[segment(size=400)]))
    first = home.seal(platform(1, credentials=PLAIN, settings={"auto_refresh": True, "refresh_frequency": "daily"}))
    assert home.ingest("platforms", first) == 0
    assert home.ingest("platforms", home.seal(platform(2, credentials=PLAIN))) == 0
    for wrong in (
        plain,
        line(plain)[:-4],
        {**plain, "credentials": json.dumps(PLAIN)},
        {**plain, "api_key": API_KEY},
        {**plain, "name": {"token": API_KEY}},
        {**first, "credentials": {**first["credentials"], "fingerprint": API_KEY}},
    ):
        assert home.ingest("platforms", wrong) != 0
    for table in ("users", "audiences", "distributions"):
        assert home.ingest(table, plain) != 0
    home.run("ingest", "platforms", "-", given=line(plain))
    home.run("credentials", "seal", given=line({**plain, "status": "odd", "nickname": "x"}) + b"\n{" + line(plain))
    due = [distribution(number, created_at=RECENT, segments_distributed=["s1"]) for number in range(1, 9)]
    done = {"status": "completed", "created_at": OLD, "executed_at": OLD}
    assert home.ingest("distributions", *due, distribution(20, **done), distribution(21, **done)) == 0


def _deliver(home: Installation, sandbox: Sandbox, loud: Echo) -> None:
    keys = [uuid(number) for number in range(1, 9)]
    home.run("approve", *keys[:6], "--by", "anna", "--standing")
    home.run("reject", keys[6], "--by", "anna", "--reason", "no")
    home.run("deliver", "--dry-run", changes=HURRIED | {"sandbox_url": sandbox.url})
    for _ in range(7):
        home.run("deliver", changes=HURRIED | {"sandbox_url": loud.url})
    changed = home.seal(platform(1, credentials={**PLAIN, "account_id": "b"}, updated_at="2025-06-01T00:00:00Z"))
    home.ingest("platforms", changed)
    home.run("retry", *keys, "--by", "anna", "--resend", changes={"sandbox_url": sandbox.url})
    home.run("approve", *keys, "--by", "anna")
    for _ in range(3):
        home.run("deliver", changes=HURRIED | {"sandbox_url": sandbox.url})
    home.run("withdraw", keys[0], "--by", "anna", "--reason", "over", changes={"sandbox_url": loud.url})
    home.run("withdraw", keys[1], "--by", "anna", "--reason", "over", changes={"sandbox_url": sandbox.url})
    home.run("refresh")
    assert b"completed" in home.run("sql", "SELECT status FROM distributions WHERE created_at > '2025-05-01'").stdout


def _maintain(home: Installation) -> None:
    for pattern in ("user-audiences", "distribution-history", "active-platforms", "recent-distributions"):
        audience_id = ["--audience-id", uuid(1)] if pattern == "distribution-history" else []
        home.run("query", pattern, "--user-id", USER, *audience_id, "--format", "json")
    home.run("sql", "SELECT * FROM platforms", "--format", "json")
    home.run("sql", "SELECT * FROM platforms", "--user-id", USER, "--format", "json")
    home.run("sql", "SELECT api_key FROM read_csv('../sent/000.ndjson')", "--user-id", USER)
    home.run("credentials", "status")
    home.run("credentials", "rotate")
    home.run("credentials", "wrap")
    home.run("archive")
    home.run("archive", changes={"reader_grace_minutes": "0"})
    home.run("restore", uuid(20), "--until", SOON)
    home.run("refold", "platforms")
    home.run("copy", "--from", "parquet", "--to", f"parquet:{home.directory / 'copy'}")
    home.run("verify", "--format", "json")
    home.run("vacuum")
    listed = json.loads(home.run("quarantine", "list", "--format", "json").stdout)
    for entry in listed:
        home.run("quarantine", "show", entry["digest"])
    home.run("quarantine", "retry", "--all")
    home.run("demo", "--directory", str(home.directory / "demo"), "--size", "100")


def _run_jobs(home: Installation, sandbox: Sandbox, loud: Echo) -> list[Path]:
    """Run every job twice, beside the sandbox and beside the loud platform; return files that senders left."""
    dropped = home.settings.landing_dir / "platforms" / "plain.ndjson"
    dropped.parent.mkdir(parents=True, exist_ok=True)
    dropped.write_bytes(line(platform(3, credentials=PLAIN)) + b"\n")
    due = [distribution(number, created_at=RECENT, segments_distributed=["s1"]) for number in range(9, 13)]
    home.ingest("distributions", *due)
    storage = home.directory / "dagster"
    storage.mkdir()
    decided = {"distribution_ids": [uuid(number) for number in range(9, 12)], "by": "anna"}
    config: dict[str, Any] = {
        "approve": {"approve_distributions": decided},
        "reject": {"reject_distributions": {"distribution_ids": [uuid(12)], "by": "anna", "reason": "no"}},
        "retry": {"retry_distributions": {**decided, "resend": True}},
        "withdraw": {"withdraw_distributions": {**decided, "reason": "over"}},
    }
    jobs: list[str] = []
    with dg.DagsterInstance.local_temp(str(storage)) as instance:
        for url in (loud.url, sandbox.url):
            settings = home.settings.model_copy(update={"sandbox_url": url, "max_attempts": 2, "retry_seconds": 0.01})
            defs = build_defs(settings)
            jobs = [job.name for job in defs.jobs or []]
            assert {"landing", "deliver", "follow"} < set(jobs)
            for name in jobs:
                given = {"ops": {op: {"config": each} for op, each in config.get(name, {}).items()}}
                defs.resolve_job_def(name).execute_in_process(
                    given if name in config else None, instance=instance, raise_on_error=False
                )
            months = {RANGE_START: "2025-01", RANGE_END: f"{NOW:%Y-%m}"}
            fold = defs.resolve_implicit_global_asset_job_def()
            assert fold.execute_in_process(instance=instance, tags=months).success
        runs = instance.get_runs()
        assert {run.job_name for run in runs} >= set(jobs)
        assert {run.status for run in runs} == {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE}
    return [dropped]


def _commands() -> set[str]:
    """Return the commands of the command line, with those of its groups."""
    root = typer.main.get_command(app)
    return {
        f"{name} {below}" if below else name
        for name, command in root.commands.items()  # type: ignore[attr-defined]
        for below in (getattr(command, "commands", None) or {"": None})
    }
