"""Makes and encodes the maps that users view."""
