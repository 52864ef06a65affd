"""The tables of a store. A change here wants a migration beside it."""

from __future__ import annotations

import sqlalchemy as sa

from ..limits.base import Amounts

__all__ = [
    "AMOUNTS",
    "beats",
    "budgets",
    "events",
    "keys",
    "metadata",
    "questions",
    "reservations",
    "runs",
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
)
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
)

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
