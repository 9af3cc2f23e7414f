"""Many numbers become means with intervals. Pure: arrays in, plain values out."""
