"""Tests of the worker's probes."""
