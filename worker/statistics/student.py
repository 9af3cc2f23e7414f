"""Computes quantiles of Student's t distribution. Pure: numbers in, numbers out.

With x = sqrt(df) * tan(a), the density of t is proportional to cos(a) ** (df - 1), which a quadrature integrates well.
"""

from functools import lru_cache
from math import atan, exp, lgamma, log, pi, sqrt

import numpy as np

NODES, WEIGHTS = np.polynomial.legendre.leggauss(64)
LOW, HIGH = 1.95, 12.71  # the 97.5 % quantiles of infinitely many degrees of freedom and of one
STEPS = 45  # number of times that the bisection halves its interval


@lru_cache(maxsize=4096)
def t_quantile(df: float) -> float:
    """Return the 97.5 % quantile of Student's t distribution with `df` degrees of freedom; fewer than 1 count as 1."""
    df = max(df, 1.0)
    low, high = LOW, HIGH
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, df) < 0.95 else (low, middle)
    return (low + high) / 2


def _within(t: float, df: float) -> float:
    """Return the probability that a variable of Student's t distribution lies between -t and t."""
    end = atan(t / sqrt(df))
    integral = end / 2 * float(WEIGHTS @ np.cos(end / 2 * (NODES + 1)) ** (df - 1))
    return integral / exp(log(pi) / 2 - log(2) + lgamma(df / 2) - lgamma((df + 1) / 2))
