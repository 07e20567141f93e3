"""The README: its example lands, its commands answer what stands there, its programs run, its links lead somewhere."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_group

from audience_pipeline.cli import app
from audience_pipeline.settings import PREFIX

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def sessions() -> list[tuple[str, str]]:
    """Return the commands of the console blocks, each with the output that stands below it."""
    return [
        (command, output)
        for block in blocks("console")
        for command, output in re.findall(r"^\$ (.*?)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)
    ]


def run(*command: str, cwd: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    path = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])
    environment |= {"PATH": path, "PYTHONPATH": str(cwd)}
    result = subprocess.run(command, cwd=cwd, env=environment, check=False, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in which the console blocks were run, and said what they should."""
    home = tmp_path_factory.mktemp("home")
    (record,) = blocks("json")
    (home / "audiences.ndjson").write_text(record, encoding="utf-8")
    for command, output in sessions():
        assert run("sh", "-c", command, cwd=home) == output
    return home


def test_the_example_is_one_record_on_one_line() -> None:
    (record,) = blocks("json")
    assert record.count("\n") == 1
    assert json.loads(record)["user_id"] == "user123"


def test_the_console_answers_what_stands_there(home: Path) -> None:
    assert len(sessions()) >= 2
    assert (home / "data/audiences/user_id=user123/year=2025/month=05/audiences_2025_05.parquet").is_file()


def test_the_catalog_answers_from_python(home: Path) -> None:
    (program,) = (text for text in blocks("python") if "catalog.duckdb" in text)
    assert run(sys.executable, "-c", program, cwd=home) == "[('user123', 'Young Digerati', 41200)]\n"


def test_the_python_interface_answers(home: Path) -> None:
    (program,) = (text for text in blocks("python") if "open_store" in text)
    assert run(sys.executable, "-c", program, cwd=home) == "[{'name': 'Coastal espresso drinkers'}]\n1\n"


def test_an_asset_of_ones_own_gets_a_table_and_keeps_what_it_returns(home: Path) -> None:
    (program,) = (text for text in blocks("python") if "@dg.asset" in text)
    (home / "project.py").write_text(program, encoding="utf-8")
    materialize = """
import dagster as dg, project
job = project.defs.resolve_job_def("__ASSET_JOB")
selection = [dg.AssetKey("audiences_by_status")]
assert job.execute_in_process(asset_selection=selection, partition_key="2025-05").success
"""
    run(sys.executable, "-c", materialize, cwd=home)
    read = "import polars; print(polars.read_parquet('data/derived/**/*.parquet').rows())"
    assert run(sys.executable, "-c", read, cwd=home) == "[('user123', 'active', 1)]\n"


def test_every_command_is_in_the_readme() -> None:
    assert [name for name in get_group(app).commands if f"| `{name}" not in README] == []


def test_every_test_that_the_threat_model_names_is_there() -> None:
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:\w+/)*test_\w+\.py)`", text))
    assert len(named) > 20
    assert [name for name in named if not (ROOT / "audience_pipeline_tests" / name).is_file()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_decision_is_listed() -> None:
    listing = (ROOT / "docs/adr/README.md").read_text(encoding="utf-8")
    records = [path.name for path in sorted((ROOT / "docs/adr").glob("[0-9]*.md"))]
    assert re.findall(r"\]\(([^)]+)\)", listing) == records
    assert [name[:4] for name in records] == [f"{number:04d}" for number in range(1, len(records) + 1)]
