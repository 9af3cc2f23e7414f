"""Requests and files that nobody meant well, made up by machines."""
