"""Signs of life say how long they count; hashes of new events hold the number of steps as well."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Have each sign of life say for how long it counts."""
    op.add_column("autogen_beats", sa.Column("lease_s", sa.Float))
