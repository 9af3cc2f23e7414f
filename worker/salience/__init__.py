"""Salience maps from feature maps and gradients. Pure: tensors in, tensors out."""
