"""SVG elements as escaped text, and the axis of every chart. Knows no chart."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from service.web.formatting import number

Child = Markup | str | None

MIN_SPAN = 0.02  # smallest range of values on an axis in percent; a smaller one would exaggerate differences
EDGE = 4.0  # percent of the width that stay free at either end
MAX_STEPS, MAX_STEPS_PERCENT = 8, 6  # steps between ticks; the labels of an axis in percent must fit on a phone


def element(name: str, *children: Child, **attributes: object) -> Markup:
    """Return an element. `class_` becomes class, `stroke_width` becomes stroke-width; None values are omitted."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_short(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    inside = "".join(escape(child) for child in children if child is not None)
    return Markup(f"<{name}{written}>{inside}</{name}>" if inside else f"<{name}{written}/>")  # all escaped


def chart(width: float, height: float, label: str, *children: Child) -> Markup:
    """Return an SVG image of this size in user units; screen readers read `label`."""
    box = f"0 0 {_short(width)} {_short(height)}"
    return element("svg", *children, viewBox=box, width=width, height=height, role="img", aria_label=label)


def _short(value: object) -> object:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else value


@dataclass(frozen=True)
class Axis:
    """Maps values in [low, high] to positions in [start, stop], in user units or in percent."""

    low: float
    high: float
    start: float
    stop: float
    max_steps: int = MAX_STEPS

    @classmethod
    def covering(cls, values: Sequence[float]) -> "Axis":
        """Return an axis in percent that covers these values, with two to seven ticks."""
        low, high = min(values, default=0.0), max(values, default=1.0)
        middle, half = (low + high) / 2, max(high - low, MIN_SPAN) / 2
        return cls(middle - half, middle + half, EDGE, 100 - EDGE, MAX_STEPS_PERCENT)

    def at(self, value: float) -> float:
        """Return the position of a value; values outside the axis are drawn at its end."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.start + share * (self.stop - self.start)

    @property
    def ticks(self) -> list[float]:
        """The round values that the axis marks."""
        step = self._step()
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [round(step * n, 10) for n in range(first, last + 1)]

    def format_tick(self, tick: float) -> str:
        """Return a tick's label, with as many digits as distinguish it from the next tick."""
        return number(tick, max(0, -math.floor(math.log10(self._step()) + 1e-9)))

    def _step(self) -> float:
        """Return the smallest of 1, 2 and 5 times a power of ten that gives at most `max_steps` steps."""
        least = (self.high - self.low) / self.max_steps
        power = 10.0 ** math.floor(math.log10(least))
        return next(times * power for times in (1.0, 2.0, 5.0, 10.0) if times * power >= least * (1 - 1e-9))


def domain(values: Sequence[float]) -> tuple[float, float]:
    """Return the range in which to show similarities: 0 to 1, extended where a value lies outside."""
    low = min(values, default=0.0)
    return (0.0 if low >= 0 else math.floor(low * 10) / 10), max(1.0, *values) if values else 1.0
