"""The package's layers: imports go downward, one layer knows Dagster, one module knows the environment."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "audience_pipeline"
MODULES = sorted(PACKAGE.rglob("*.py"))
ASSEMBLED_WITH_DAGSTER = frozenset(
    {
        "assets",
        "checks",
        "definitions",
        "io_managers",
        "jobs",
        "partitions",
        "policies",
        "resources",
        "runs",
        "schedules",
        "sensors",
    }
)
LAYERS: tuple[frozenset[str], ...] = (
    frozenset({"errors"}),
    frozenset({"sandbox", "settings", "sqlfiles", "tables"}),
    frozenset({"security"}),
    frozenset({"storage"}),
    frozenset({"delivery", "ingest", "queries", "retention", "rotation", "transfer"}),
    ASSEMBLED_WITH_DAGSTER - {"definitions"},
    frozenset({"definitions"}),
    frozenset({"demo"}),
    frozenset({"cli"}),
    frozenset({"__init__", "__main__"}),
)
"""From the bottom up; a module may import from its own layer and those before it."""

LONGEST_MODULE = 300


def modules(paths: list[Path]) -> list[object]:
    return [pytest.param(path, id=path.relative_to(PACKAGE).as_posix()) for path in paths]


def part(path: Path) -> str:
    """Name the part of the package a file belongs to: the module or sub-package right under it."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def layer(name: str) -> int:
    for rank, names in enumerate(LAYERS):
        if name in names:
            return rank
    return pytest.fail(f"audience_pipeline/{name} stands in no layer: give it a place in LAYERS")


def imports(path: Path) -> Iterator[str]:
    """Yield the dotted name of everything a module imports, at its top or inside its functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", modules(MODULES))
def test_imports_go_downward_only(path: Path) -> None:
    own = layer(part(path))
    inside = [name.split(".")[1] for name in imports(path) if name.startswith("audience_pipeline.")]
    assert [name for name in inside if name not in LAYERS[-1] and layer(name) > own] == []


@pytest.mark.parametrize("path", modules([path for path in MODULES if part(path) not in ASSEMBLED_WITH_DAGSTER]))
def test_only_the_top_layer_imports_dagster(path: Path) -> None:
    assert [name for name in imports(path) if name.split(".")[0].startswith("dagster")] == []


@pytest.mark.parametrize("path", modules([path for path in MODULES if part(path) != "settings"]))
def test_only_the_settings_read_the_environment(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert used.isdisjoint({"environ", "environb", "getenv", "getenvb"})
    assert not any(name.startswith(("os.environ", "os.getenv")) for name in imports(path))


@pytest.mark.parametrize("path", modules(MODULES))
def test_a_module_is_short_enough_to_hold_one_idea(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_MODULE


def test_importing_the_package_loads_nothing_heavy() -> None:
    program = "import sys, audience_pipeline; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.split()
    assert {"dagster", "polars", "duckdb", "pyarrow", "pydantic"}.isdisjoint(loaded)
