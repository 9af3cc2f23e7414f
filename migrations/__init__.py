"""Migrations of the database schema, which `salience migrate` runs with Alembic."""
