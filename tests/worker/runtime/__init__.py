"""Tests of the resources of a worker process."""
