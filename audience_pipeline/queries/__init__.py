"""The documented access patterns, and the catalog analysts open in DuckDB.

`run` answers a pattern; the catalog is written by `audience_pipeline.queries.catalog`.
"""

from audience_pipeline.queries.answers import count_archived, run
from audience_pipeline.queries.patterns import PATTERNS, AccessPattern

__all__ = ["PATTERNS", "AccessPattern", "count_archived", "run"]
