"""Logs, traces and metrics, and the redaction of secrets in them."""
