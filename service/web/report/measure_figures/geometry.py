"""Draws the figure of geometry: a tile for each transformation, with shifts in a grid."""

from collections.abc import Iterator, Sequence

from service.web.formatting import MINUS
from service.web.report.charts import tone
from service.web.report.data import Json, ReportData
from service.web.report.figures import CHANCE_HEADS, Figure, Table, cells, chance_cells, cohorts_with
from service.web.report.heatmaps import Tile, draw_tiles
from service.web.report.interpretation import INTERPRETATIONS

MEANING = INTERPRETATIONS["geometry"]
SHIFT = "shift:"
IN_GRID = (
    "Each shift is drawn at the position to which it moves the content; other transformations are beside the grid."
)
MAX_OFFSETS = 5  # offsets in one direction of a grid
IN_A_ROW = 6  # tiles in a row without a grid; more would not be legible on a phone
MAX_OTHERS = 12  # transformations beside the grid
APART, SHORT = 0.4, 4  # gap beside the grid, in columns; number of others up to which they take two columns


def geometry(data: ReportData) -> Figure:
    """Draw similarity by transformation, with one grid per cohort."""
    charts, rows = [], []
    for place, cohort, own in cohorts_with(data, "geometry"):
        drawn = draw_tiles(f"{cohort}: similarity by transformation", list(_found(cohort, own["parts"])))
        charts.append((cohort, tone(place), drawn))
        rows += [[cohort, name, *cells(each, MEANING), *chance_cells(each)] for name, each in own["parts"].items()]
    gridded = all(_is_grid(own["parts"]) for _, _, own in cohorts_with(data, "geometry"))
    where = IN_GRID if gridded else "The name of a shift says how many pixels it moves the content right and down."
    lead = f"Maps of transformed images compared with transformed maps. {where} Bright: salience follows the content."
    heads = ["cohort", "transformation", "similarity", "95 % interval", "in words", *CHANCE_HEADS]
    return Figure("geometry", "Geometry: by transformation", lead, charts, Table(heads, rows), heat=True)


def _is_grid(parts: Json) -> bool:
    """Return whether there are few enough offsets and other transformations to draw the shifts as a grid."""
    moved = [_offset(name) for name in parts if name.startswith(SHIFT)]
    across, down = (len({0, *steps}) for steps in zip((0, 0), *moved, strict=True))
    return bool(moved) and max(across, down) <= MAX_OFFSETS and len(parts) - len(moved) <= MAX_OTHERS


def _found(cohort: str, parts: Json) -> Iterator[Tile]:
    """Yield the tiles: a grid of shifts with the other transformations beside it, or rows if no grid fits."""
    if not _is_grid(parts):
        yield from _rows(cohort, parts, list(parts), 0.0, IN_A_ROW)
        return
    moved = {name: _offset(name) for name in parts if name.startswith(SHIFT)}
    across, down = (sorted({0, *steps}) for steps in zip((0, 0), *moved.values(), strict=True))
    yield Tile(across.index(0), down.index(0), None, "the unchanged image", "clean")
    for name, (dx, dy) in moved.items():
        yield _tile(cohort, name, parts[name], (across.index(dx), down.index(dy)))
    others = [name for name in parts if name not in moved]
    yield from _rows(cohort, parts, others, len(across) + APART, 2 if len(others) <= SHORT else 4)


def _rows(cohort: str, parts: Json, names: Sequence[str], left: float, across: int) -> Iterator[Tile]:
    for place, name in enumerate(names):
        row, column = divmod(place, across)
        yield _tile(cohort, name, parts[name], (left + column, row))


def _tile(cohort: str, name: str, each: Json, at: tuple[float, int]) -> Tile:
    short, words = _named(name)
    return Tile(*at, each["mean"], f"{cohort}, {words}: {MEANING.describe_mean(each['mean'], each['ci95'])}", short)


def _named(name: str) -> tuple[str, str]:
    """Return the short name of a transformation, for its tile, and its name in words."""
    kind, _, amount = name.replace("-", MINUS).partition(":")
    if kind == "shift":
        short = ", ".join(map(_signed, _offset(name)))
        return short, f"shifted by {short} pixels"
    if kind == "rotate":
        return f"{amount}\N{DEGREE SIGN}", f"turned by {amount}\N{DEGREE SIGN}"
    return (f"\N{MULTIPLICATION SIGN} {amount}", f"scaled by {amount}") if kind == "scale" else (name, name)


def _offset(name: str) -> tuple[int, int]:
    dx, dy = map(int, name.removeprefix(SHIFT).split(","))
    return dx, dy


def _signed(pixels: int) -> str:
    return f"{pixels:+d}".replace("-", MINUS) if pixels else "0"
