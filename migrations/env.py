"""Runs the migrations on the connection that service.schema hands over."""

from alembic import context

from service.tables import Rows

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Rows.metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
