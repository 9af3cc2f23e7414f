"""The schema's history, run by `salience migrate` through Alembic."""
