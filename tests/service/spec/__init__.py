"""Tests of service.spec."""
