"""Tests of the worker's summary."""
