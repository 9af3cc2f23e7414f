"""Tests of the routes of the HTTP API."""
