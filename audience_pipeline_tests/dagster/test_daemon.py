"""A real `dagster dev`: files dropped become tables by themselves, and once, though the daemon is killed.

Asked over GraphQL, as the UI does it.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from audience_pipeline import open_store
from audience_pipeline.demo.generate import DemoWorld
from audience_pipeline.demo.landing import write_landing
from audience_pipeline.settings import Settings, variable
from audience_pipeline.tables import AUDIENCES, SOURCES
from audience_pipeline_tests.demo.worlds import NOW

pytestmark = pytest.mark.prove

ROOT = Path(__file__).parent.parent.parent
PATIENCE_SECONDS = 500
TWO_LOOKS_SECONDS = 40

RUNS = "{ runsOrError(limit: 100) { ... on Runs { results { jobName status } } } }"
ASSETS = """{ assetNodes {
  assetKey { path } isMaterializable groupName owners { ... on TeamAssetOwner { team } } kinds
  assetMaterializations(limit: 50) { metadataEntries { label } }
  assetChecksOrError { ... on AssetChecks { checks { name } } }
} }"""


class Dagster:
    """A running `dagster dev` with a home of its own."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/graphql"

    def ask(self, query: str) -> Any:  # noqa: ANN401 - whatever the query asks for
        """Return the data of a GraphQL query."""
        body = json.dumps({"query": query}).encode()
        request = urllib.request.Request(self.url, body, {"content-type": "application/json"})  # noqa: S310 - our own
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310 - the same
            answer = json.load(response)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def checked(self, table: str, check: str) -> list[str]:
        """Return how each execution of a check ended."""
        of = f'assetKey: {{ path: ["{table}"] }}, checkName: "{check}", limit: 50'
        return [
            each["status"]
            for each in self.ask(f"{{ assetCheckExecutions({of}) {{ status }} }}")["assetCheckExecutions"]
        ]

    def runs(self) -> Counter[tuple[str, str]]:
        """Return how many runs there are of each job, by status."""
        found = self.ask(RUNS)["runsOrError"]["results"]
        return Counter((run["jobName"], run["status"]) for run in found)

    def quiet(self) -> bool:
        """Return whether no run is under way."""
        return {status for _, status in self.runs()} <= {"SUCCESS", "FAILURE"}


@contextmanager
def dagster_dev(settings: Settings, home: Path) -> Iterator[Dagster]:
    """Start `dagster dev`, and kill it and all it started, as a power failure would."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    fields = ("data_dir", "landing_dir", "quarantine_dir", "keyset")
    environment = {variable(name): str(getattr(settings, name)) for name in fields} | {"DAGSTER_HOME": str(home)}
    program = str(Path(sys.executable).with_name("dagster"))
    command = [program, "dev", "--workspace", str(ROOT / "workspace.yaml"), "--port", str(port)]
    with (home / "dev.log").open("ab") as log:
        process = subprocess.Popen(
            command, cwd=home, env=os.environ | environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        dagster = Dagster(port)
        wait_for("the webserver", lambda: bool(dagster.ask(ASSETS)["assetNodes"]))
        yield dagster
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_for(what: str, ready: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        try:
            if ready():
                return
        except OSError:
            pass
        time.sleep(1)
    pytest.fail(f"{what}: not there after {PATIENCE_SECONDS} s")


def landings(runs: Counter[tuple[str, str]]) -> Counter[str]:
    """Return how many landings there were, by status; other runs look after what landed, time and again."""
    return Counter({status: count for (job, status), count in runs.items() if job == "landing"})


def drop(sent: Path, settings: Settings, tables: tuple[str, ...]) -> None:
    for table in tables:
        for path in sorted((sent / table).iterdir()):
            target = settings.landing_dir / table / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target.with_name(f"{path.name}.tmp")).rename(target)


def stored(settings: Settings) -> dict[str, int]:
    with open_store(settings) as store:
        return {table.name: store.read(table).num_rows for table in SOURCES}


def test_files_become_tables_once_though_the_daemon_is_killed(
    settings: Settings, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    small = DemoWorld(7, NOW, tenants=6, audience_count=40, distribution_count=120, months=2)
    expected = {table.name: len(list(getattr(small, table.name)())) for table in SOURCES}
    write_landing(small, tmp_path / "sent", sealer=None)
    home = tmp_path / "home"
    home.mkdir()
    shutil.copyfile(ROOT / "dagster.yaml", home / "dagster.yaml")

    with dagster_dev(settings, home) as dagster:
        drop(tmp_path / "sent", settings, tuple(expected))
        wait_for("the tables", lambda: dagster.quiet() and stored(settings) == expected)
        looks_right(dagster)
        first = dagster.runs()
    assert sum(count for (job, _), count in first.items() if job == "landing") <= 2

    with dagster_dev(settings, home) as dagster:
        time.sleep(TWO_LOOKS_SECONDS)
        assert landings(dagster.runs()) == landings(first)
        late = renamed(small)
        (settings.landing_dir / "audiences" / "late.ndjson").write_text(f"{json.dumps(late)}\n", encoding="utf-8")
        wait_for("the late change", lambda: dagster.quiet() and name_of(settings, late["audience_id"]) == "late")
        runs = dagster.runs()
    assert landings(runs) - landings(first) == Counter({"SUCCESS": 1})
    assert runs["__ASSET_JOB", "SUCCESS"] > first["__ASSET_JOB", "SUCCESS"]
    assert not {status for _, status in runs} - {"SUCCESS"}
    with open_store(settings) as store:
        assert [finding for finding in store.verify() if not finding.harmless] == []
    record_property("runs", sum(runs.values()))


def renamed(small: DemoWorld) -> dict[str, Any]:
    record = next(iter(small.audiences()))
    return {**record, "name": "late", "updated_at": "2026-03-17T14:29:00Z"}


def name_of(settings: Settings, key: str) -> str:
    with open_store(settings) as store:
        return str(store.get(AUDIENCES, [key]).column("name")[0])


def looks_right(dagster: Dagster) -> None:
    """Ask what the UI shows of each asset."""
    for node in dagster.ask(ASSETS)["assetNodes"]:
        (name,) = node["assetKey"]["path"]
        if name in {"match_rates", "distributions_archive"}:
            continue
        landed = name.startswith("landed_")
        assert node["isMaterializable"] is not landed
        assert node["groupName"] == ("landed" if landed else "tables")
        assert node["owners"]
        # Deliveries report the months they touched, too.
        told = [{entry["label"] for entry in each["metadataEntries"]} for each in node["assetMaterializations"]]
        wanted = {"records", "file"} if landed else {"dagster/uri", "inserted", "refused", "content digest"}
        assert any(labels >= wanted for labels in told), (name, told)
        for check in node["assetChecksOrError"].get("checks", []):
            ended = dagster.checked(name, check["name"])
            # Dagster plans a check for each month of a run, and calls skipped what one execution for all of them did.
            assert ended[:1] == ["SUCCEEDED"], (name, check["name"], ended)
            assert set(ended) <= {"SUCCEEDED", "SKIPPED"}, (name, check["name"], ended)
