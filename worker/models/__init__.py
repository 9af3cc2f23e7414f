"""Model files become classifiers that hand out logits and feature maps."""
