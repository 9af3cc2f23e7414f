"""A model registry whose versions are audited by policy, and are told their verdicts. MLflow is the one known."""
