"""What Alembic runs: the migrations, on the connection that the caller holds."""

from __future__ import annotations

from alembic import context

# Outside of a migration there is none: somebody only looks what modules there are.
config = getattr(context, "config", None)

if config is not None:
    context.configure(
        connection=config.attributes["connection"],
        version_table=config.attributes["version_table"],
        render_as_batch=True,
    )
    context.run_migrations()
