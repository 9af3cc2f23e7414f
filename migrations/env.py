"""Runs the migrations on the connection from service.storage.migrate, in one process at a time."""

from alembic import context
from sqlalchemy import func, select

from service.storage.tables.base import Rows

LOCK = "salience migrations"

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Rows.metadata, render_as_batch=True)
with context.begin_transaction():
    if connection.dialect.name == "postgresql":  # a process that waited for the lock finds the migrations done
        connection.execute(select(func.pg_advisory_xact_lock(func.hashtext(LOCK))))
    context.run_migrations()
