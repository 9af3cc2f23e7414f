"""Outbound requests: which hosts are allowed, the HTTP client, and delays between retries."""
