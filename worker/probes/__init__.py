"""Variants of an image. Pure: tensors in, tensors out."""
