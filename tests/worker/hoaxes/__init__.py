"""Tests with hoaxes: models whose numbers look good although they mean nothing."""
