"""The directory of a demo: what is where in it, and which world it shows.

Belongs here: making the directory, knowing it again, and the settings of a demo: the backend is the environment's, all
else is kept inside the directory. Does not belong here: what happens in it (:mod:`.loop`).
"""

import shlex
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from audience_pipeline.demo.dataset import refuse_taken
from audience_pipeline.demo.generate import DemoWorld
from audience_pipeline.demo.moments import first_of_months
from audience_pipeline.errors import UsageError, storage_errors
from audience_pipeline.settings import Settings, load_settings, variable

MONTHS = 24
DEFAULT_SIZE, DEFAULT_SEED = 5_000, 1
_FILES = "files"
_MARK = "demo.json"
_AUDIENCES_OF, _TENANTS_OF = 10, 100
_BIGQUERY = frozenset(field for field in Settings.model_fields if field.startswith("bigquery_"))


class Mark(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a demo directory shows: ``size`` distributions of the world of ``seed`` at the moment ``now``.

    ``tables`` says where its tables are: in files, or in which dataset.
    """

    seed: int
    size: int
    now: datetime
    tables: str = _FILES

    def __str__(self) -> str:
        """Return it as a person would tell it from another."""
        return f"seed {self.seed}, size {self.size}, in {self.tables}"


@dataclass(frozen=True)
class Place:
    """A demo's directory and the world it shows; ``former`` says that a demo ran there before."""

    root: Path
    mark: Mark
    former: bool

    @property
    def world(self) -> DemoWorld:
        """The world: an audience for ten distributions, a tenant for a hundred."""
        size = self.mark.size
        tenants, audiences = max(3, size // _TENANTS_OF), max(10, size // _AUDIENCES_OF)
        return DemoWorld(self.mark.seed, self.mark.now, tenants, audiences, size, MONTHS)

    @property
    def settings(self) -> Settings:
        """Settings under which nothing but BigQuery's tables leaves the directory.

        The keyset is in it and outside the data.
        """
        first_month = f"{first_of_months(self.mark.now, MONTHS):%Y-%m}"
        return load_settings(**_directories(self.root), keyset_json=None, kms_key_uri=None, first_month=first_month)

    @property
    def dagster_home(self) -> Path:
        """Where Dagster keeps what it knows of the demo's runs."""
        return self.root / "dagster"

    @property
    def environment(self) -> Path:
        """A script that points a shell at the demo."""
        return self.root / "environment"

    def write_environment(self) -> None:
        """Write the script, with this program's directory in PATH.

        Raises:
            StorageError: it can't be written.
        """
        settings = self.settings
        kept = {*_directories(self.root), "first_month", *_BIGQUERY}
        values = {
            "PATH": f"{Path(sys.executable).parent}:$PATH",
            "DAGSTER_HOME": str(self.dagster_home),
            variable("backend"): settings.backend,
            **{variable(field): str(getattr(settings, field)) for field in sorted(settings.model_fields_set & kept)},
        }
        lines = [f"export {name}={_quoted(value)}\n" for name, value in values.items()]
        with storage_errors(self.environment):
            self.environment.write_text("".join(lines), encoding="utf-8")


def place_at(directory: Path, *, seed: int | None, size: int | None) -> Place:
    """Return the demo's place at ``directory``, made if there is none; a former demo's world is shown again.

    Raises:
        SettingsError: the environment's settings are wrong.
        UsageError: the directory holds something else, or a demo of another seed, size or backend; or the dataset holds
            tables of somebody else.
        StorageError: it can't be read or made.
    """
    root = directory.absolute()
    settings = load_settings(**_directories(root))
    with storage_errors(root):
        root.mkdir(parents=True, exist_ok=True)
        if (root / _MARK).exists():
            return Place(root, _same(root, seed, size, _tables(settings)), former=True)
        if any(root.iterdir()):
            raise UsageError(
                root,
                found="a directory that is not empty and no former demo",
                expected="a new or empty directory, or one a demo ran in",
                remedy="Name another one: audience-pipeline demo --directory DIRECTORY.",
            )
        refuse_taken(settings)
        mark = Mark(seed or DEFAULT_SEED, size or DEFAULT_SIZE, datetime.now(UTC), _tables(settings))
        (root / _MARK).write_bytes(msgspec.json.encode(mark) + b"\n")
    return Place(root, mark, former=False)


def _directories(root: Path) -> dict[str, Path]:
    """Return the settings of what a demo keeps in its directory."""
    names = {"data_dir": "data", "landing_dir": "landing", "quarantine_dir": "quarantine", "keyset": "keyset.json"}
    return {field: root / name for field, name in names.items()}


def _tables(settings: Settings) -> str:
    """Say where the tables are that settings name."""
    if settings.backend == "parquet":
        return _FILES
    return f"dataset {settings.bigquery_project}.{settings.bigquery_dataset}"


def _same(root: Path, seed: int | None, size: int | None, tables: str) -> Mark:
    """Return the mark of a former demo, if it shows the world asked for, from the same tables."""
    try:
        mark = msgspec.json.decode((root / _MARK).read_bytes(), type=Mark)
    except msgspec.DecodeError:
        remedy = f"Remove {root}, or name another directory."
        raise UsageError(root / _MARK, found="no demo's mark", expected="one a demo wrote", remedy=remedy) from None
    asked = Mark(mark.seed if seed is None else seed, mark.size if size is None else size, mark.now, tables)
    if asked != mark:
        raise UsageError(
            root,
            found=f"the demo of {mark}",
            expected=f"one of {asked}",
            remedy="Remove the directory, or name another one: audience-pipeline demo --directory DIRECTORY.",
        )
    return mark


def _quoted(value: str) -> str:
    head, dollar, tail = value.rpartition(":$")
    return f"{shlex.quote(head)}:${tail}" if dollar else shlex.quote(value)
