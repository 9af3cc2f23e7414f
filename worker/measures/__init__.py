"""Numbers of finished maps. Pure: tensors in, tensors out; calls no model."""
