"""Fetches models and image sets to this machine, and reads and decodes images."""
