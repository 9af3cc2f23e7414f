"""Tests of worker.inputs."""
