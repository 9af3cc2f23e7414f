"""Tests of outbound requests."""
