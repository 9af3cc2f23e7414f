"""How many maps are degenerate: the share, with Wilson's interval. Pure: arrays in, plain values out."""

from typing import Any

import numpy as np

from worker.statistics.bootstrap import Array

Z = 1.959963984540054  # the standard normal's quantile of 97.5 %


def degenerate_share(degenerate: Array, used: Array | None = None) -> dict[str, Any]:
    """The share of maps (...) that are degenerate (1) and not (0), of those `used` (...) is above 0 for."""
    counting = degenerate if used is None else degenerate[used > 0]
    count, maps = int(counting.sum()), int(counting.size)
    if not maps:
        return {"mean": None, "ci95": None, "count": 0, "n": 0}
    return {"mean": count / maps, "ci95": wilson(count, maps), "count": count, "n": maps}


def wilson(count: int, total: int) -> list[float]:
    """The 95 % interval of a share (Wilson 1927)."""
    share, weight = count / total, Z**2 / total
    middle = (share + weight / 2) / (1 + weight)
    reach = Z * np.sqrt(share * (1 - share) / total + weight / (4 * total)) / (1 + weight)
    # Exactly 0 or 1 where rounding would leave the interval without the share itself.
    return [float(middle - reach) if count else 0.0, float(middle + reach) if count < total else 1.0]
