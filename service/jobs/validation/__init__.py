"""Checks job specs before the service accepts them."""
