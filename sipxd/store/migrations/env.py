"""Alembic's entry: runs the steps on the connection that ``store.engine`` hands over."""

from __future__ import annotations

from alembic import context

from sipxd.store.schema import metadata

# SQLite can undo table changes as well; Alembic only believes it of other engines.
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
