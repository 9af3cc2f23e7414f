"""Tests that check the files in deploy/ against the code and the formats of Kubernetes, Prometheus and Grafana."""
