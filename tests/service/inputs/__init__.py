"""Tests of service.inputs."""
