"""The figures of single measures: distributions, curves, strips, tiles and matrices."""

from collections.abc import Callable, Mapping

from service.web.report.data import ReportData
from service.web.report.figures import Figure
from service.web.report.measure_figures.degradation import degradation
from service.web.report.measure_figures.entropy import entropy
from service.web.report.measure_figures.geometry import geometry
from service.web.report.measure_figures.noise import noise
from service.web.report.measure_figures.stability import stability

MEASURE_FIGURES: Mapping[str, Callable[[ReportData], Figure]] = {
    "entropy": entropy,
    "noise": noise,
    "geometry": geometry,
    "stability": stability,
    "degradation": degradation,
}


def measure_figures(data: ReportData) -> list[Figure]:
    """Return the figure of each measure that has one."""
    had = dict(data.measures)
    return [draw(data) for measure, draw in MEASURE_FIGURES.items() if measure in had]
