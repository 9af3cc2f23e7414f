"""Geometry's own picture: shifts where they move the content to, flips and turns beside them."""

from collections.abc import Iterator

from service.pages.report.charts import tone
from service.pages.report.figures import Figure, Table, cells, having
from service.pages.report.heat import Tile, tiles
from service.pages.report.material import Json, Material
from service.pages.report.words import MEANINGS

MEANING = MEANINGS["geometry"]
BESIDE = 3.4  # columns, after the three of shifts


def geometry(about: Material) -> Figure:
    """Similarity by transformation, a grid a cohort."""
    charts, rows = [], []
    for place, cohort, own in having(about, "geometry"):
        found = [*_shifts(cohort, own["parts"]), *_turns(cohort, own["parts"])]
        charts.append(
            (cohort, tone(place), tiles(f"{cohort}: similarity by transformation, shifts left, turns right", found))
        )
        rows += [[cohort, name, *cells(each, MEANING)] for name, each in own["parts"].items()]
    lead = (
        "Maps of moved pictures against moved maps. Shifts stand where they move the content to; flips and turns stand "
        "beside them. Bright: salience follows the content."
    )
    heads = ["cohort", "transformation", "similarity", "95 % interval", "in words"]
    return Figure("geometry", "Geometry: by transformation", lead, charts, Table(heads, rows), heat=True)


def _shifts(cohort: str, parts: Json) -> Iterator[Tile]:
    moved = {
        name: tuple(map(int, name.removeprefix("shift:").split(","))) for name in parts if name.startswith("shift:")
    }
    across = sorted({0, *(dx for dx, _ in moved.values())})
    down = sorted({0, *(dy for _, dy in moved.values())})
    if not moved or len(across) > 5 or len(down) > 5:
        return
    yield Tile(across.index(0), down.index(0), None, "the picture as it is", "clean")
    for name, (dx, dy) in moved.items():
        each = parts[name]
        says = f"{cohort}, shifted by {dx}, {dy} pixels: {MEANING.said(each['mean'], each['ci95'])}"
        yield Tile(across.index(dx), down.index(dy), each["mean"], says, f"{_signed(dx)}, {_signed(dy)}")


def _signed(pixels: int) -> str:
    return f"{pixels:+d}".replace("-", "\N{MINUS SIGN}") if pixels else "0"


def _turns(cohort: str, parts: Json) -> Iterator[Tile]:
    shifts = [name for name in parts if name.startswith("shift:")]
    first = BESIDE if shifts else 0.0
    for place, name in enumerate(each for each in parts if not each.startswith("shift:")):
        column, row = divmod(place, 2) if len(parts) - len(shifts) <= 4 else divmod(place, 3)
        each = parts[name]
        says = f"{cohort}, {name}: {MEANING.said(each['mean'], each['ci95'])}"
        yield Tile(first + column, row, each["mean"], says, name)
