"""Listing image sets, kind by kind, in a fixed order and without opening an image."""
