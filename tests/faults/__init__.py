"""Fault injection: the tests kill processes of a whole deployment."""
