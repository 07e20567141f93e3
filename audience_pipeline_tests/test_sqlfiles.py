"""The SQL files are found from a checkout and from a wheel, as the same bytes."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from audience_pipeline.errors import StorageError
from audience_pipeline.sqlfiles import SQL_DIRECTORY, read_sql

ROOT = Path(__file__).parent.parent


def test_a_file_of_the_checkout_is_read_where_analysts_edit_it() -> None:
    assert read_sql("README.md") == (ROOT / "sql" / "README.md").read_text(encoding="utf-8")


def test_a_missing_file_is_named() -> None:
    with pytest.raises(StorageError, match=r"no_such_query\.sql: found nothing there"):
        read_sql("queries/no_such_query.sql")


def test_a_built_wheel_carries_every_sql_file(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        for path in (path for path in SQL_DIRECTORY.rglob("*") if path.is_file()):
            name = f"audience_pipeline/_sql/{path.relative_to(SQL_DIRECTORY).as_posix()}"
            assert wheel.read(name) == path.read_bytes()
