"""Picture files become tensors."""
