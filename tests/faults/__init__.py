"""Fault injection: these tests kill processes of a running deployment."""
