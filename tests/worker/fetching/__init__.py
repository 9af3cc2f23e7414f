"""Tests of worker.fetching."""
