"""Benchmarks. Most print a ratio of two times or sizes that one run measures. They are not part of the tests."""
