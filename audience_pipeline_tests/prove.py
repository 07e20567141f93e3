"""Runs the proofs (`make prove`) and keeps their dated result in `docs/prove.md`.

A proof is a test marked `prove`. What it counted (kills survived, records replayed) it states with pytest's
`record_property`, and the page shows it beside the outcome. Any argument narrows the run, and then the page is left
alone: it only ever tells of a whole one.
"""

import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "prove.md"


class Outcomes:
    """A pytest plugin that collects one table row for each proof."""

    def __init__(self) -> None:
        self.rows: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the outcome of the test itself, and of a set-up or tear-down only when it failed."""
        if report.when == "call" or not report.passed:
            name = report.nodeid.removeprefix("audience_pipeline_tests/")
            counted = ", ".join(f"{key} {value}" for key, value in report.user_properties)
            self.rows.append(f"| `{name}` | {report.outcome} | {report.duration:.0f} s | {counted} |")


def main(arguments: Sequence[str]) -> int:
    """Run the proofs; return pytest's exit code."""
    outcomes = Outcomes()
    # A proof waits for programs that it kills, so as many go on at once as there are processors.
    at_once = ["-n", "auto", "--dist", "worksteal"]
    code = pytest.main([*at_once, "-m", "prove and not bigquery_service", *arguments], plugins=[outcomes])
    if not arguments and outcomes.rows:
        PAGE.write_text(page(outcomes.rows), encoding="utf-8")
    return int(code)


def page(rows: Sequence[str]) -> str:
    """Render the result page: when and where the proofs ran, and a row for each."""
    where = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    return "\n".join(
        [
            "# Result of the last `make prove`",
            "",
            f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, at commit {_commit()}, {where}.",
            "",
            "| proof | outcome | time | counted |",
            "|---|---|---|---|",
            *sorted(rows),
            "",
        ]
    )


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
