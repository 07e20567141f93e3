"""Reads the SQL files, wherever the package runs from.

The files live in `sql/` at the top of the repository, where analysts look for them. A wheel carries a copy as
`audience_pipeline/_sql` (see `pyproject.toml`); a checkout has no such copy, so an edited file takes effect at once
and there is never a second version to forget.
"""

from pathlib import Path

from audience_pipeline.errors import StorageError, storage_errors

_PACKAGE = Path(__file__).parent
_PLACES = (_PACKAGE / "_sql", _PACKAGE.parent / "sql")


def read_sql(name: str) -> str:
    """Return the text of one SQL file.

    Args:
        name: its path under `sql/`, such as `queries/user_audiences.sql`.

    Raises:
        StorageError: the installation has no SQL files, or not this one.
    """
    path = sql_directory() / name
    with storage_errors(path):
        return path.read_text(encoding="utf-8")


def sql_directory() -> Path:
    """Return the directory that holds the SQL files of this installation."""
    for place in _PLACES:
        if place.is_dir():
            return place
    raise StorageError(
        _PLACES[0],
        found="no SQL files",
        expected="the directory the package was built with",
        remedy="Install the package again, from a wheel or with `make setup` in a checkout.",
    )
