"""Tests of service.domain."""
