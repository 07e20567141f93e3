"""What may be wrong with landed records: parts that cannot be read or that nobody lists, and files not folded yet.

Belongs here: the landing log against its files. Does not belong here: the landing directory, which is the sender's.
"""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from audience_pipeline.storage.contract import Finding
from audience_pipeline.storage.parquet.core import Core
from audience_pipeline.tables import LANDED

_LISTED = "SELECT path FROM landed_parts JOIN ledger USING (number) WHERE status != 'open'"
_UNFOLDED = (
    "SELECT tbl, files, name FROM ledger JOIN (SELECT min(number) AS number, count(*) AS files FROM ledger"
    " WHERE status = 'landed' GROUP BY tbl) USING (number) ORDER BY number"
)
_LAND_AGAIN = "Restore it from a backup, or land the records again; the core table is whole without it."


def landed_findings(core: Core) -> Iterator[Finding]:
    """Find landed parts that are missing, damaged or not in the ledger, and tables with files that are not folded."""
    for (name,) in core.state.rows(_LISTED):
        path = core.layout.root / name
        try:
            pq.read_metadata(path)
        except (OSError, pa.ArrowException) as error:
            yield Finding("landed part", str(path), str(error).splitlines()[0], "a readable part", _LAND_AGAIN)
    yield from _unlisted(core)
    yield from _unfolded(core)


def _unlisted(core: Core) -> Iterator[Finding]:
    """Find parts that were left out when the state was rebuilt; the ledger lists a part before it is published."""
    root = core.layout.root
    found = sorted(path for landed in LANDED.values() for path in (root / landed.name).rglob("*.parquet"))
    listed = {name for (name,) in core.state.rows("SELECT path FROM landed_parts")}
    for path in found:
        if str(path.relative_to(root)) not in listed:
            what = "a part the ledger does not list"
            yield Finding("landed part", str(path), what, "only parts of landed files", _LAND_AGAIN)


def _unfolded(core: Core) -> Iterator[Finding]:
    """Find tables with files that landed and were not folded: the process died in between, or the fold is to come."""
    for source, count, first in core.state.rows(_UNFOLDED):
        files = "1 landed file" if count == 1 else f"{count} landed files"
        yield Finding(
            "unfolded",
            LANDED[source].name,
            found=f"{files} whose records are not known to be in {source} (first: {first})",
            expected=f"every landed record folded into {source}",
            remedy=f"Materialize {source}, or run `audience-pipeline refold {source}`.",
            harmless=True,
        )
