"""Alembic's entry: runs the migrations on the connection and in the transaction that database.py gives."""

from alembic import context

from bloodcell.db.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,  # Alembic holds that SQLite cannot; with our own BEGIN it can
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
