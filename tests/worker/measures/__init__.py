"""Tests of the worker's measures."""
