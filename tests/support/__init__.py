"""Helpers that several tests share: servers, models, image sets, clients and fault injection."""
