"""Tests of the validation of specs."""
