"""Computes salience maps. Pure: tensors in, tensors out."""
