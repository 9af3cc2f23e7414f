"""Tests of service.inputs.image_sets."""
