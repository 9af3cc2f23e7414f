"""Bringing models and image sets from where they are kept to where they are used."""
