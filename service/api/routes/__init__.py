"""One short file a resource."""
