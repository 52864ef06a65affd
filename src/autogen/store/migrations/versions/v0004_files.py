"""Files and contents; what runs have used; conversations; hosts that were allowed."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_RUNS = sa.table(
    "autogen_runs",
    sa.column("id"),
    sa.column("n_tokens"),
    sa.column("nano_usd"),
    sa.column("n_steps"),
    sa.column("is_cost_known"),
)
_EVENTS = sa.table(
    "autogen_events", sa.column("run_id"), sa.column("pos"), sa.column("type"), sa.column("body")
)


def upgrade() -> None:
    """Make the tables, and sum up what earlier runs have used."""
    op.create_table(
        "autogen_blobs",
        sa.Column("sha256", sa.Text, primary_key=True),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
    )
    op.create_table(
        "autogen_pieces",
        sa.Column("sha256", sa.Text, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "autogen_blob_uses",
        sa.Column("sha256", sa.Text, primary_key=True),
        sa.Column("run_id", sa.Text, primary_key=True),
    )
    op.create_index("autogen_blob_uses_run", "autogen_blob_uses", ["run_id"])
    op.create_table(
        "autogen_files",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("media_type", sa.Text, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("belongs_to", sa.Text),
        sa.Column("created_at", sa.Float, nullable=False),
    )
    op.create_index("autogen_files_content", "autogen_files", ["sha256"])
    op.create_table(
        "autogen_egress",
        sa.Column("run_id", sa.Text, primary_key=True),
        sa.Column("pattern", sa.Text, primary_key=True),
        sa.Column("allowed_by", sa.Text),
        sa.Column("allowed_at", sa.Float, nullable=False),
    )
    usage = op.create_table(
        "autogen_usage",
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
    op.create_index("autogen_usage_at", "autogen_usage", ["at"])
    with op.batch_alter_table("autogen_runs") as table:
        for name, kind in (
            ("n_tokens", sa.BigInteger),
            ("nano_usd", sa.BigInteger),
            ("n_steps", sa.Integer),
        ):
            table.add_column(sa.Column(name, kind, nullable=False, server_default="0"))
        table.add_column(
            sa.Column("is_cost_known", sa.Boolean, nullable=False, server_default=sa.true())
        )
        table.add_column(sa.Column("conversation", sa.Text))
        table.create_index("autogen_runs_conversation", ["conversation"])
    with op.batch_alter_table("autogen_questions") as table:
        table.add_column(sa.Column("pos", sa.Integer))
    _sum_up(usage)


def _sum_up(usage: sa.Table) -> None:
    connection = op.get_bind()
    kinds = ("code.started", "model.answered", "tool.answered")
    query = (
        sa.select(_EVENTS.c.run_id, _EVENTS.c.pos, _EVENTS.c.type, _EVENTS.c.body)
        .where(_EVENTS.c.type.in_(kinds))
        .order_by(_EVENTS.c.run_id, _EVENTS.c.pos)
    )
    sums: dict[str, dict[str, Any]] = {}
    for run_id, pos, kind, body in connection.execute(query).all():
        made = {"n_tokens": 0, "nano_usd": 0, "n_steps": 0, "is_cost_known": True}
        found = sums.setdefault(run_id, made)
        event = json.loads(body)
        data = event["data"]
        if kind != "model.answered":
            found["n_steps"] += 1 if kind == "tool.answered" else int(data.get("n_blocks") or 0)
            continue
        row = _usage(run_id, pos, event)
        connection.execute(sa.insert(usage).values(**row))
        found["n_steps"] += 1
        if not row["is_cached"]:
            found["n_tokens"] += row["prompt_tokens"] + row["completion_tokens"]
            found["nano_usd"] += row["nano_usd"] or 0
            found["is_cost_known"] &= row["nano_usd"] is not None
    for run_id, values in sums.items():
        connection.execute(sa.update(_RUNS).where(_RUNS.c.id == run_id).values(**values))


def _usage(run_id: str, pos: int, event: dict[str, Any]) -> dict[str, Any]:
    data = event["data"]
    cost = data.get("cost_usd")
    return {
        "run_id": run_id,
        "pos": pos,
        "at": event["at"],
        "agent": event.get("agent"),
        "model": data.get("model"),
        "prompt_tokens": int(data.get("prompt_tokens") or 0),
        "completion_tokens": int(data.get("completion_tokens") or 0),
        "nano_usd": None if cost is None else round(cost * 1_000_000_000),
        "is_cached": bool(data.get("is_cached")),
    }
