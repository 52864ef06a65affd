"""The tables of a store. A change here wants a migration beside it."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ..limits.base import Amounts

__all__ = [
    "AMOUNTS",
    "beats",
    "blob_uses",
    "blobs",
    "budgets",
    "egress",
    "events",
    "files",
    "is_alive",
    "keys",
    "metadata",
    "pieces",
    "questions",
    "reservations",
    "runs",
    "usage",
]

#: What a budget counts.
AMOUNTS = Amounts._fields

metadata = sa.MetaData()

# JSON stands in text columns, escaped to ASCII: neither database takes every text as it is (a lone
# surrogate, a NUL), and a hash needs the very bytes that were written.

runs = sa.Table(
    "autogen_runs",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("team", sa.Text),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("stop_reason", sa.Text),
    sa.Column("request", sa.Text, nullable=False),
    sa.Column("result", sa.Text),
    sa.Column("error", sa.Text),
    sa.Column("owner", sa.Text),
    # The process of the owner: the part of its name before the slash.
    sa.Column("worker_id", sa.Text),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("wish", sa.Text),
    sa.Column("forked_from", sa.Text),
    sa.Column("forked_at", sa.Integer),
    sa.Column("edits", sa.Text),
    # The newest event: its number, and the end of the chain of hashes.
    sa.Column("last_pos", sa.Integer, nullable=False),
    sa.Column("last_hash", sa.Text, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("updated_at", sa.Float, nullable=False),
    # The caller of a server that asked for it; NULL for whoever has the database.
    sa.Column("belongs_to", sa.Text),
    # What its own calls have used so far.
    sa.Column("n_tokens", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("nano_usd", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("n_steps", sa.Integer, nullable=False, server_default="0"),
    sa.Column("is_cost_known", sa.Boolean, nullable=False, server_default=sa.true()),
    # Of the runs of one conversation of a caller only one is under way.
    sa.Column("conversation", sa.Text),
)
sa.Index("autogen_runs_conversation", runs.c.conversation)
sa.Index("autogen_runs_belongs", runs.c.belongs_to, runs.c.created_at)
sa.Index("autogen_runs_created", runs.c.created_at, runs.c.id)
sa.Index("autogen_runs_worker", runs.c.worker_id)
sa.Index("autogen_runs_status", runs.c.status, runs.c.updated_at)

events = sa.Table(
    "autogen_events",
    metadata,
    sa.Column("run_id", sa.Text, primary_key=True),
    sa.Column("pos", sa.Integer, primary_key=True),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    # How many steps had been taken when it happened: where a fork from here begins.
    sa.Column("n_steps", sa.Integer, nullable=False),
    sa.Column("hash", sa.Text, nullable=False),
)
sa.Index("autogen_events_key", events.c.run_id, events.c.key, unique=True)

questions = sa.Table(
    "autogen_questions",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("agent", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("prompt", sa.Text, nullable=False),
    sa.Column("schema", sa.Text),
    sa.Column("default", sa.Text),
    sa.Column("deadline_at", sa.Float),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("answer", sa.Text),
    sa.Column("answered_by", sa.Text),
    sa.Column("asked_at", sa.Float, nullable=False),
    sa.Column("answered_at", sa.Float),
    # The event that tells of the message it is about.
    sa.Column("pos", sa.Integer),
)
sa.Index("autogen_questions_status", questions.c.status, questions.c.deadline_at)
sa.Index("autogen_questions_run", questions.c.run_id)

keys = sa.Table(
    "autogen_keys",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("digest", sa.Text, nullable=False, unique=True),
    # Separated by spaces.
    sa.Column("scopes", sa.Text, nullable=False),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("per_minute", sa.Integer),
    # Name of the budget that all runs of the key draw from.
    sa.Column("budget", sa.Text),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("expires_at", sa.Float),
    sa.Column("revoked_at", sa.Float),
    sa.Column("used_at", sa.Float),
)

beats = sa.Table(
    "autogen_beats",
    metadata,
    sa.Column("worker_id", sa.Text, primary_key=True),
    sa.Column("beat_at", sa.Float, nullable=False),
    # For how many seconds it counts; NULL for as long as whoever looks thinks fit.
    sa.Column("lease_s", sa.Float),
)


def is_alive(now: Any, lease_s: float) -> sa.ColumnElement[bool]:
    """Whether a sign of life counts still.

    Args:
        now: The time of the database.
        lease_s: For how long one counts that does not say so itself.
    """
    lease = sa.func.coalesce(beats.c.lease_s, lease_s)
    return beats.c.beat_at.between(now - lease, now + lease)


budgets = sa.Table(
    "autogen_budgets",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    # The most that may be spent (NULL: no limit), what was, and what is set aside.
    *(sa.Column(f"most_{name}", sa.BigInteger) for name in AMOUNTS),
    *(sa.Column(f"spent_{name}", sa.BigInteger, nullable=False) for name in AMOUNTS),
    *(sa.Column(f"held_{name}", sa.BigInteger, nullable=False) for name in AMOUNTS),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("updated_at", sa.Float, nullable=False),
)

reservations = sa.Table(
    "autogen_reservations",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("budget", sa.Text, nullable=False),
    sa.Column("worker_id", sa.Text, nullable=False),
    *(sa.Column(name, sa.BigInteger, nullable=False) for name in AMOUNTS),
    # Its process died: all of it counts as spent, unless that process comes back and knows better.
    sa.Column("is_booked", sa.Boolean, nullable=False),
    sa.Column("made_at", sa.Float, nullable=False),
)
sa.Index("autogen_reservations_budget", reservations.c.budget, reservations.c.is_booked)

# What is handed in, and what code leaves: each content once, in pieces.

blobs = sa.Table(
    "autogen_blobs",
    metadata,
    sa.Column("sha256", sa.Text, primary_key=True),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
)

pieces = sa.Table(
    "autogen_pieces",
    metadata,
    sa.Column("sha256", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("data", sa.LargeBinary, nullable=False),
)

blob_uses = sa.Table(
    "autogen_blob_uses",
    metadata,
    sa.Column("sha256", sa.Text, primary_key=True),
    sa.Column("run_id", sa.Text, primary_key=True),
)
sa.Index("autogen_blob_uses_run", blob_uses.c.run_id)

files = sa.Table(
    "autogen_files",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("media_type", sa.Text, nullable=False),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("belongs_to", sa.Text),
    sa.Column("created_at", sa.Float, nullable=False),
)
sa.Index("autogen_files_content", files.c.sha256)

# Hosts that people allowed the code of a run while it ran.

egress = sa.Table(
    "autogen_egress",
    metadata,
    sa.Column("run_id", sa.Text, primary_key=True),
    sa.Column("pattern", sa.Text, primary_key=True),
    sa.Column("allowed_by", sa.Text),
    sa.Column("allowed_at", sa.Float, nullable=False),
)

# One row for each answer of a model, so that sums need not read events.

usage = sa.Table(
    "autogen_usage",
    metadata,
    sa.Column("run_id", sa.Text, primary_key=True),
    sa.Column("pos", sa.Integer, primary_key=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("agent", sa.Text),
    sa.Column("model", sa.Text),
    sa.Column("prompt_tokens", sa.BigInteger, nullable=False),
    sa.Column("completion_tokens", sa.BigInteger, nullable=False),
    sa.Column("nano_usd", sa.BigInteger),
    sa.Column("is_cached", sa.Boolean, nullable=False),
)
sa.Index("autogen_usage_at", usage.c.at)
