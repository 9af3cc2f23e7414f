"""Tests of logs and their redaction."""
