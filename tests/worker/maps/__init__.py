"""Tests of maps made on demand."""
