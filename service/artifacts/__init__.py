"""Uploads of users, in a folder or in an object store."""
