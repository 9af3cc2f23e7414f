"""Tests of the worker's images."""
