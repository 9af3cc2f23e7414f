"""Connections to other services: outbound webhooks and the MLflow model registry."""
