"""Lists image sets of each kind in a fixed order, without opening an image."""
