"""The MLflow model registry: its model versions are audited by policy, and receive the verdict as tags."""
