"""Tests of the figures of the measures."""
