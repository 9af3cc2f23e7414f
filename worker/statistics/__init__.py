"""Summarises the numbers of many images as means with intervals. Pure: arrays in, plain values out."""
