"""Tests of outbound webhooks."""
