"""Audits images: explains them and their variants with every model, and scores the maps."""
