"""Tests of the database storage."""
