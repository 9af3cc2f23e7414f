"""Fuzzing: generated requests and damaged files."""
