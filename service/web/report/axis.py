"""A horizontal axis: which values it spans, its ticks, and where a value stands on it. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from service.web.formatting import number

MIN_SPAN = 0.02  # below which differences would look larger than they are
EDGE = 4.0  # percent left free at either end
MAX_STEPS = 6  # between ticks, whose numbers have to stand side by side on a phone


@dataclass(frozen=True)
class Axis:
    """An axis over [low, high]."""

    low: float
    high: float
    ticks: Sequence[float]

    @classmethod
    def covering(cls, values: Sequence[float]) -> "Axis":
        """The axis that holds all these values, with two to seven round ticks."""
        low, high = min(values, default=0.0), max(values, default=1.0)
        middle, half = (low + high) / 2, max(high - low, MIN_SPAN) / 2
        low, high = middle - half, middle + half
        step = _round_step((high - low) / MAX_STEPS)
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        return cls(low, high, [round(step * number, 10) for number in range(first, last + 1)])

    def percent(self, value: float) -> float:
        """Where a value stands, in percent of the width."""
        share = (value - self.low) / (self.high - self.low)
        return round(EDGE + share * (100 - 2 * EDGE), 2)

    def format_tick(self, tick: float) -> str:
        """A tick, with as many digits as tell it from the next."""
        step = _round_step((self.high - self.low) / MAX_STEPS)
        return number(tick, max(0, -math.floor(math.log10(step) + 1e-9)))


def _round_step(target: float) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that is not below `target`."""
    power = 10.0 ** math.floor(math.log10(target))
    return next(times * power for times in (1.0, 2.0, 5.0, 10.0) if times * power >= target * (1 - 1e-9))
