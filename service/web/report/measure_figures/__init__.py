"""The figures of single measures: distributions, curves, strips, tiles and matrices."""
