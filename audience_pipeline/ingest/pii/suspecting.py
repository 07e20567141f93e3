"""Which rows are worth a look: a superset of what the detectors find, at a few microseconds a row.

Belongs here: the expressions over stored text and canonical JSON. They may name too many rows, never too few: a test
holds them against every labelled case. RE2 reads a text once however many alternatives there are, but the states it
makes while reading grow with their product: two expressions, one of signs and one of words, take half the time of one.
Arrow starts anew with each array, so all columns are one.
"""

from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc

from audience_pipeline.ingest.pii.members import SUSPECT_MEMBERS
from audience_pipeline.ingest.pii.places import SUSPECT_PLACES
from audience_pipeline.tables import LogicalType, Table

_BETWEEN = r"[ \x{00A0}.()/\x{2010}-\x{2015}\-]"
_SIGNS = (
    rf"\d(?:{_BETWEEN}{{0,3}}\d){{8}}",
    rf"\+ ?\(?\d(?:{_BETWEEN}{{0,3}}\d){{6}}",
    r"[^\s\"@]@[^\s\"@]|%40|(?i:[\[(]at[\])])",
    r"\d\.\d{1,3}\.\d{1,3}\.\d",
    r"[0-9A-Fa-f]{1,4}:[0-9A-Fa-f]{0,4}:[0-9A-Fa-f]",
    r"(?:[0-9A-Fa-f]{2}-){5}[0-9A-Fa-f]|[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]",
    r"[0-9A-Fa-f]{32}",
    r"[A-Za-z0-9+/_\-]{22}(?:=|[A-Za-z0-9+/_\-]{18})",
    r"[A-Za-z]{2} ?\d{2} ?\d{2} ?\d{2} ?[A-Da-d]",
)
_WORDS = (
    r"(?i:(?:^|[^a-z])(?:idf[av]|gaid|aaid|maids?|rida|tifa|afai|lgudid)(?:[^a-z]|$))",
    r"(?i:(?:^|[^a-z])(?:advertising|device|ad)[ _-]?id)",
    r"(?i:passport|ssn|social security|itin|nino|tax ?id|national id)[^\"]{0,15}\d",
    r"[\x{FF01}-\x{FF5E}\x{00AD}\x{200B}-\x{200F}\x{2060}\x{FEFF}]",
    *SUSPECT_PLACES,
    *SUSPECT_MEMBERS,
)
PATTERNS = tuple("|".join(f"(?:{each})" for each in parts) for parts in (_SIGNS, _WORDS))


def suspects(table: Table, rows: pa.Table) -> list[int]:
    """Return the indices of ``rows`` whose impersonal columns may have personal data."""
    names = [column.name for column in table.columns if column.impersonal]
    if not names or not rows.num_rows:
        return []
    texts = pa.concat_arrays([_text(rows.column(name), table.by_name[name].type) for name in names])
    found = reduce(pc.or_, (pc.match_substring_regex(texts, pattern) for pattern in PATTERNS))
    some = pc.indices_nonzero(found.fill_null(fill_value=False)).to_pylist()
    return sorted({index % rows.num_rows for index in some})


def _text(column: pa.ChunkedArray, kind: LogicalType) -> pa.Array:
    whole = column.combine_chunks()
    plain = pc.binary_join(whole, "\n") if kind is LogicalType.STRINGS else whole
    return plain.cast(pa.large_string())
