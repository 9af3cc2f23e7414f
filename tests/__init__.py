"""Tests mirror the code: test_X.py for X.py."""
