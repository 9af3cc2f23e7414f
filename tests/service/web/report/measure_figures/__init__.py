"""Measure figures."""
