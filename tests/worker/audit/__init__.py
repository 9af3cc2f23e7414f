"""Tests of the audit of images."""
