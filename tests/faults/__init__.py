"""Faults on purpose: a whole service in production, and what is killed of it."""
