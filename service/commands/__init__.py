"""The commands of the console script that need no torch."""
