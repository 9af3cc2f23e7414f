"""The documentation, and the script that fills its generated blocks. A package, so that no other `docs` is imported."""
