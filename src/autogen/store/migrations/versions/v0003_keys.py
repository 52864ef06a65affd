"""Keys of callers, and whose a run is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table of keys, and have runs say whose they are."""
    op.create_table(
        "autogen_keys",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("digest", sa.Text, nullable=False, unique=True),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("per_minute", sa.Integer),
        sa.Column("budget", sa.Text),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("expires_at", sa.Float),
        sa.Column("revoked_at", sa.Float),
        sa.Column("used_at", sa.Float),
    )
    op.add_column("autogen_runs", sa.Column("belongs_to", sa.Text))
    op.create_index("autogen_runs_belongs", "autogen_runs", ["belongs_to", "created_at"])
