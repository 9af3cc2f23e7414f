"""Tests of deploy/ against the code and the schemas of Kubernetes, Prometheus and Grafana."""
