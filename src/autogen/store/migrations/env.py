"""What Alembic runs: the migrations, on the connection that the caller holds."""

from __future__ import annotations

from alembic import context

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    version_table=context.config.attributes["version_table"],
    render_as_batch=True,
)
context.run_migrations()
