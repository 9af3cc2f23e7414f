"""Tests of the worker's classifiers."""
