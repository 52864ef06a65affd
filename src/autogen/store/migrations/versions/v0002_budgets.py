"""Budgets that processes share."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

AMOUNTS = ("nano_usd", "tokens", "work_ms", "steps", "code_ms")


def upgrade() -> None:
    """Make the tables of budgets and of what is set aside."""
    op.create_table(
        "autogen_budgets",
        sa.Column("name", sa.Text, primary_key=True),
        *(sa.Column(f"most_{name}", sa.BigInteger) for name in AMOUNTS),
        *(sa.Column(f"spent_{name}", sa.BigInteger, nullable=False) for name in AMOUNTS),
        *(sa.Column(f"held_{name}", sa.BigInteger, nullable=False) for name in AMOUNTS),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("updated_at", sa.Float, nullable=False),
    )
    op.create_table(
        "autogen_reservations",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("budget", sa.Text, nullable=False),
        sa.Column("worker_id", sa.Text, nullable=False),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in AMOUNTS),
        sa.Column("is_booked", sa.Boolean, nullable=False),
        sa.Column("made_at", sa.Float, nullable=False),
    )
    op.create_index("autogen_reservations_budget", "autogen_reservations", ["budget", "is_booked"])
