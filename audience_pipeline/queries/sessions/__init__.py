"""Tenant sessions: one tenant's rows in DuckDB, read-only, whatever SQL is run.

Three walls stand behind each other. The statement is parsed, and its tree may name nothing but the session's views and
the listed functions (:mod:`.judging`, :mod:`.vocabulary`). The connection reaches no file outside the tenant's own
directories, and its settings are locked (:mod:`.connection`). What DuckDB says is told without paths, and what takes
too long or too much memory is stopped (:mod:`.session`, :mod:`.watching`).
"""

from audience_pipeline.queries.sessions.session import Session, open_session

__all__ = ["Session", "open_session"]
