"""Draws maps over their images as SVG. The page contains each image and each sheet of maps once, and refers to it.

A sheet is grey; a filter colours it, and makes it more transparent where the map is low.
"""

from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import isnan

from markupsafe import Markup

from service.api.map_images import INFERNO, MAX_OPACITY, MIN_OPACITY
from service.domain.maps import StoredImage
from service.domain.variants import CLEAN, background_of, heading_of, image_cohort, sample_variants, value_column
from service.web.formatting import number
from service.web.report.data import ReportData
from service.web.report.svg import Child, element

CELL = 64.0  # length of an image's longer side, in SVG units
LEFT, TOP = 44.0, 16.0  # room for the headings of rows and columns
HEAT = "heat"


def colour_tables() -> Markup:
    """Return the SVG filter that turns grey levels into the colours of inferno and their opacity."""
    take = MAX_OPACITY - MIN_OPACITY
    shares = element(
        "feColorMatrix", type="matrix", values=f"1 0 0 0 0 0 1 0 0 0 0 0 1 0 0 {take:g} 0 0 0 {MIN_OPACITY:g}"
    )
    tables = [
        element(
            f"feFunc{name}", type="table", tableValues=" ".join(f"{each[place] / 255:.3f}" for each in INFERNO[::5])
        )
        for place, name in enumerate("RGB")
    ]
    return element(
        "filter", shares, element("feComponentTransfer", *tables), id=HEAT, x=0, y=0, width=1, height=1,
        color_interpolation_filters="sRGB",
    )  # fmt: skip


@dataclass(frozen=True)
class Overlays:
    """Draws the images of a job's sample with the maps of its cohorts; images and cohorts are given by number."""

    about: ReportData

    @cached_property
    def variants(self) -> list[str]:
        """The names of the variants that the columns of a sheet show."""
        return sample_variants(self.about.job.spec)

    def definitions(self, image: int, stored: Mapping[int, StoredImage]) -> Markup:
        """Return the SVG definitions of an image and its sheets."""
        found = Markup("")
        for cohort, each in stored.items():
            if each.thumb:
                found += _image(f"p{image}-{cohort}", each.thumb, self._cell(cohort))
            if each.sheet:
                found += _image(f"s{image}-{cohort}", each.sheet, self._sheet(cohort))
        return found

    def plain(self, image: int, cohort: int, name: str) -> Markup:
        """Draw the image without a map."""
        return _drawing(f"{name}, the image", self._cell(cohort), self._image(image, cohort))

    def mean(self, image: int, cohort: int, name: str) -> Markup:
        """Draw the mean map of the runs over the image."""
        width, height = self._cell(cohort)
        first = element("svg", _maps(image, cohort), width=width, height=height, viewBox=f"0 0 {width:g} {height:g}")
        label = f"{name} under {self.about.cohorts[cohort]}: the mean map of its runs over the image"
        return _drawing(label, (width, height), self._image(image, cohort), first)

    def grid(self, image: int, cohort: int, name: str) -> Markup:
        """Draw all maps over the image: first the mean of the runs, then a row per run; a column per variant."""
        across, down = self._sheet(cohort)
        inside: list[Child] = [*self._background(image, cohort), _maps(image, cohort), *self._gaps(cohort)]
        shifted = element("g", *inside, *self._corner_numbers(image, cohort), transform=f"translate({LEFT:g} {TOP:g})")
        label = f"{name} under {self.about.cohorts[cohort]}: maps by run and variant"
        return _drawing(label, (LEFT + across, TOP + down), *self._heads(cohort), shifted)

    def _cell(self, cohort: int) -> tuple[float, float]:
        """Return width and height of an image."""
        height, width = self.about.job.spec.cohorts[cohort].model.preprocessing.size
        scale = CELL / max(height, width)
        return width * scale, height * scale

    def _runs(self, cohort: int) -> int:
        return len(self.about.job.spec.cohorts[cohort].runs)

    def _sheet(self, cohort: int) -> tuple[float, float]:
        width, height = self._cell(cohort)
        return width * len(self.variants), height * (1 + self._runs(cohort))

    def _image(self, image: int, cohort: int) -> Markup:
        return element("use", href=f"#p{image}-{image_cohort(self.about.job.spec, cohort)}")

    def _background(self, image: int, cohort: int) -> Iterator[Markup]:
        """Draw the image behind each map of an unmoved variant, and mirrored behind the map of the mirrored image."""
        width, _ = self._cell(cohort)
        yield element("defs", self._column(image, cohort))
        for place, variant in enumerate(self.variants):
            background = background_of(variant)
            if background == "image":
                yield element("use", href=f"#c{image}-{cohort}", x=place * width)
            elif background == "mirrored image":
                mirrored = f"translate({(place + 1) * width:g} 0) scale(-1 1)"
                yield element("use", href=f"#c{image}-{cohort}", transform=mirrored)

    def _column(self, image: int, cohort: int) -> Markup:
        """Draw the image in every row. An SVG pattern would do the same, but printers rasterise each use of it."""
        _, height = self._cell(cohort)
        name = f"#p{image}-{image_cohort(self.about.job.spec, cohort)}"
        return element(
            "g",
            *(element("use", href=name, y=n * height) for n in range(self._runs(cohort) + 1)),
            id=f"c{image}-{cohort}",
        )

    def _gaps(self, cohort: int) -> Iterator[Markup]:
        (width, height), (across, down) = self._cell(cohort), self._sheet(cohort)
        for n in range(1, len(self.variants)):
            yield element("line", x1=n * width, x2=n * width, y1=0, y2=down, class_="gap")
        for n in range(1, self._runs(cohort) + 1):
            yield element("line", x1=0, x2=across, y1=n * height, y2=n * height, class_="gap")

    def _heads(self, cohort: int) -> Iterator[Markup]:
        width, height = self._cell(cohort)
        for n, variant in enumerate(self.variants):
            yield element(
                "text", heading_of(variant), x=LEFT + (n + 0.5) * width, y=10, text_anchor="middle", class_="tick"
            )
        for n in range(self._runs(cohort) + 1):
            heading = f"run {n}" if n else "mean"
            yield element("text", heading, x=LEFT - 5, y=TOP + (n + 0.5) * height + 3, text_anchor="end", class_="tick")

    def _corner_numbers(self, image: int, cohort: int) -> Iterator[Markup]:
        """Write a number into the corner of each map; `_number` says which number."""
        width, height = self._cell(cohort)
        for run in range(self._runs(cohort)):
            values = self.about.values.get((image, cohort, run), {})
            for place, variant in enumerate(self.variants):
                value, says = self._number(values, variant)
                if value:
                    hover = element("title", f"run {run + 1}, {heading_of(variant)}: {says} {value}")
                    yield element(
                        "text", value, hover, x=place * width + 3, y=(run + 2) * height - 4, class_="probability"
                    )

    def _number(self, values: Mapping[str, float], variant: str) -> tuple[str, str]:
        if variant == CLEAN:
            share = f"{100 * values['top_probability']:.0f} %" if values else ""
            return share, "probability of the predicted class"
        column = value_column(variant, self.about.job.spec.measures)
        value = values.get(column) if column else None
        shown = "" if value is None or isnan(value) else number(value, 2)
        return shown, "similarity to the map of the clean image"


def _maps(image: int, cohort: int) -> Markup:
    return element("use", href=f"#s{image}-{cohort}", filter=f"url(#{HEAT})")


def _image(name: str, webp: bytes, size: tuple[float, float]) -> Markup:
    href = "data:image/webp;base64," + b64encode(webp).decode()
    return element("image", id=name, width=size[0], height=size[1], preserveAspectRatio="none", href=href)


def _drawing(label: str, size: tuple[float, float], *children: Child) -> Markup:
    return element("svg", *children, viewBox=f"0 0 {size[0]:g} {size[1]:g}", role="img", aria_label=label)
