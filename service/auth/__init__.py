"""Authentication by API key, and rate limits per key."""
