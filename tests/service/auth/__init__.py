"""Tests of authentication and rate limits."""
