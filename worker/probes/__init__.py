"""Variants of a picture. Pure: tensors in, tensors out."""
