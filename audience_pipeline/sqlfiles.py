"""Reads the SQL files, wherever the package runs from.

The files live in `sql/` at the top of the repository, where analysts look for them. `_sql` beside this module is a
link to that directory, which a built wheel replaces by a copy: in a checkout an edited file takes effect at once, and
there is never a second version to forget.
"""

from pathlib import Path

from audience_pipeline.errors import storage_errors

SQL_DIRECTORY = Path(__file__).parent / "_sql"


def read_sql(name: str) -> str:
    """Return the text of one SQL file.

    Args:
        name: its path under `sql/`, such as `queries/duckdb/user_audiences.sql`.

    Raises:
        StorageError: this installation has no such file.
    """
    path = SQL_DIRECTORY / name
    with storage_errors(path):
        return path.read_text(encoding="utf-8")
