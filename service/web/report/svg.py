"""SVG elements as escaped text, and scales from values to places. Knows no chart."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

Child = Markup | str | None


def element(name: str, *children: Child, **attributes: object) -> Markup:
    """An element. `class_` is written class, `stroke_width` stroke-width; what is None is left out."""
    message = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_short(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    inside = "".join(escape(child) for child in children if child is not None)
    return Markup(f"<{name}{message}>{inside}</{name}>" if inside else f"<{name}{message}/>")  # all escaped


def chart(width: float, height: float, label: str, *children: Child) -> Markup:
    """A picture of so many units, which `label` tells to those who do not see it."""
    box = f"0 0 {_short(width)} {_short(height)}"
    return element("svg", *children, viewBox=box, width=width, height=height, role="img", aria_label=label)


def _short(value: object) -> object:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else value


@dataclass(frozen=True)
class Scale:
    """From values [low, high] to places [start, stop]."""

    low: float
    high: float
    start: float
    stop: float

    def at(self, value: float) -> float:
        """Where a value stands; what lies beyond stands at the end."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.start + share * (self.stop - self.start)

    def ticks(self) -> list[float]:
        """Round values to mark, four to eight of them."""
        span = self.high - self.low
        step = next(each for each in _steps() if span / each <= 8)
        first = math.ceil(self.low / step - 1e-9)
        return [round(step * n, 10) for n in range(first, math.floor(self.high / step + 1e-9) + 1)]


def _steps() -> Sequence[float]:
    return [times * 10.0**power for power in range(-3, 3) for times in (1, 2, 2.5, 5)]


def domain(values: Sequence[float]) -> tuple[float, float]:
    """A range that shows these similarities: 0 to 1, from below where a value is."""
    low = min(values, default=0.0)
    return (0.0 if low >= 0 else math.floor(low * 10) / 10), max(1.0, *values) if values else 1.0
