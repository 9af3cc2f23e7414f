"""Loads model files of every format as classifiers with logits, feature maps and gradients."""
