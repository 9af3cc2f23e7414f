"""Tests with models that look good but ignore the image."""
