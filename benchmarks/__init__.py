"""Benchmarks. Most print a ratio of two times or sizes that one run measures. They are no part of the tests."""
