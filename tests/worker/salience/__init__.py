"""Tests of the worker's salience."""
