"""The first version: runs, events, questions, signs of life."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "autogen_runs",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("team", sa.Text),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("stop_reason", sa.Text),
        sa.Column("request", sa.Text, nullable=False),
        sa.Column("result", sa.Text),
        sa.Column("error", sa.Text),
        sa.Column("owner", sa.Text),
        sa.Column("worker_id", sa.Text),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("wish", sa.Text),
        sa.Column("forked_from", sa.Text),
        sa.Column("forked_at", sa.Integer),
        sa.Column("edits", sa.Text),
        sa.Column("last_pos", sa.Integer, nullable=False),
        sa.Column("last_hash", sa.Text, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("updated_at", sa.Float, nullable=False),
    )
    op.create_index("autogen_runs_created", "autogen_runs", ["created_at", "id"])
    op.create_index("autogen_runs_worker", "autogen_runs", ["worker_id"])
    op.create_index("autogen_runs_status", "autogen_runs", ["status", "updated_at"])
    op.create_table(
        "autogen_events",
        sa.Column("run_id", sa.Text, primary_key=True),
        sa.Column("pos", sa.Integer, primary_key=True),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("n_steps", sa.Integer, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
    )
    op.create_index("autogen_events_key", "autogen_events", ["run_id", "key"], unique=True)
    op.create_table(
        "autogen_questions",
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
    op.create_index("autogen_questions_status", "autogen_questions", ["status", "deadline_at"])
    op.create_index("autogen_questions_run", "autogen_questions", ["run_id"])
    op.create_table(
        "autogen_beats",
        sa.Column("worker_id", sa.Text, primary_key=True),
        sa.Column("beat_at", sa.Float, nullable=False),
    )
