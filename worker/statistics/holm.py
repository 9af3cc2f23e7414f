"""Corrects p values for the number of tests.

Pure: plain values in, plain values out. Source: Holm 1979.
"""

from collections.abc import Sequence


def adjusted_p_values(p_values: Sequence[float]) -> list[float]:
    """Return Holm's adjusted p values in the order given.

    If every hypothesis with an adjusted p value of at most alpha is rejected, the probability that any of them is
    rejected wrongly is at most alpha.
    """
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted
