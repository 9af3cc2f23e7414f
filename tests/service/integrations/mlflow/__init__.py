"""Tests of the integration of the MLflow model registry."""
