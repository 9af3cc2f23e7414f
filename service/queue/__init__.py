"""How work reaches the workers: the broker, the sweeper, and the embedded worker."""
