"""Migrations of the database schema, one file each."""
