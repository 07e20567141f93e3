"""The archive's manifest: what each archive run copied, removed and brought back, and what the archive must hold since.

Belongs here: the declaration of the journal and its steps. Does not belong here: when a step is taken.

An entry tells of one user and month of the archive. Those of ``WRITING`` steps say what the archive's file is about to
hold and are written before it; the ``WRITTEN`` ones confirm it. So at any instant the rows of a partition are those of
its last confirmed entry or of a later announced one, and anything else is damage.
"""

from audience_pipeline.tables.declaration import Column, Layout, Owner, Table
from audience_pipeline.tables.types import LogicalType as T

COPYING, COPIED = "copying", "copied"
"""Rows are about to be, or were, written to the archive; they are still in the live table."""
REMOVED = "removed"
"""Rows left the live table; the archive stays as it was."""
RESTORED = "restored"
"""Rows come back to the live table and stay there until a moment; the archive stays as it was."""
DROPPING, DROPPED = "dropping", "dropped"
"""Rows that are live again are about to leave, or left, the archive."""
WRITING, WRITTEN = (COPYING, DROPPING), (COPIED, DROPPED)
STEPS = (COPYING, COPIED, REMOVED, RESTORED, DROPPING, DROPPED)

_ENGINE = Owner.ENGINE

ARCHIVE_MANIFEST = Table(
    name="archive_manifest",
    doc="What each archive run copied, removed and brought back: an entry a user, month and step, never changed.",
    key="entry_id",
    layout=Layout.USER,
    by_month=True,
    cluster_by=("user_id", "month", "step"),
    columns=(
        Column("entry_id", T.STRING, "Derived from run, step, user and month.", required=True, owner=_ENGINE),
        Column("user_id", T.STRING, "The tenant concerned.", required=True, immutable=True, owner=_ENGINE),
        Column("created_at", T.TIMESTAMP, "When it was noted.", required=True, immutable=True, owner=_ENGINE),
        Column("run_id", T.STRING, "Which run, restore or deliberate repair noted it.", required=True, owner=_ENGINE),
        Column("actor", T.STRING, "Who or what ran it.", required=True, owner=_ENGINE),
        Column("step", T.STRING, "What was done.", required=True, values=STEPS, owner=_ENGINE),
        Column("month", T.INT64, "The month of the rows, yyyymm.", required=True, minimum=0, owner=_ENGINE),
        Column("cut_off", T.TIMESTAMP, "Rows created before it were old enough; null of a restore.", owner=_ENGINE),
        Column("row_count", T.INT64, "Rows this step is about.", required=True, minimum=0, owner=_ENGINE),
        Column("byte_count", T.INT64, "The size of their values.", required=True, minimum=0, owner=_ENGINE),
        Column("archive_row_count", T.INT64, "Rows in the archive after it.", required=True, minimum=0, owner=_ENGINE),
        Column("digest", T.STRING, "Content digest of these.", required=True, owner=_ENGINE),
        Column("keys", T.STRINGS, "The distributions brought back.", owner=_ENGINE),
        Column("until", T.TIMESTAMP, "Until when they stay live.", owner=_ENGINE),
    ),
)
