"""The release before this one, kept as it was, so that it can be run on this one's database."""
