"""Fuzzing: tests with generated requests and damaged files."""
