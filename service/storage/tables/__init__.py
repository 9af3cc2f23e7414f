"""Tables of the database, as SQLAlchemy classes."""
