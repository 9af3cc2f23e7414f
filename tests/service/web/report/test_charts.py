import re

from service.web.report.charts import Mark, curve, histogram, kind, shape, strip, tone
from service.web.report.heatmaps import Tile, draw_legend, draw_mean_map, draw_tiles


def test_the_marks_of_two_cohorts_differ_in_colour_or_shape() -> None:
    drawn = {re.sub(r" class=\"[^\"]*\"", "", shape(tone, 0, 0)) for tone in range(1, 7)}
    assert len(drawn) == 6
    pairs = {((tone(cohort) - 1) % 6, kind(tone(cohort))) for cohort in range(20)}
    assert len(pairs) == 20
    many = histogram("", {tone(cohort): [1, cohort] for cohort in range(20)}, "")
    assert len(set(re.findall('class="area (.*?)"', many))) == 20


def test_a_strip_shows_each_mean_with_its_interval_runs_and_interpretation() -> None:
    marks = [Mark("a", 1, 0.5, [0.25, 0.75], "half & half", [0.4, 0.6]), Mark("b", 2, None, None, "none")]
    drawn = strip("label", marks, "likeness", width=228)
    assert '<circle cx="114" cy="11"' in drawn
    assert re.search(r'x1="64" x2="164" y1="11" y2="11" class="whisker t1"', drawn)
    assert drawn.count('class="run t1"') == 2
    assert "<title>a: half &amp; half</title>" in drawn
    assert "no number" in drawn
    assert 'role="img" aria-label="label. a: half &amp; half; b: none"' in drawn
    assert ">likeness</text>" in drawn


def test_a_curve_omits_positions_without_a_number() -> None:
    lines = [
        [Mark("a", 1, 0.5, [0.4, 0.6], "at half"), Mark("b", 1, None, None, "none"), Mark("c", 1, 0.25, None, "low")]
    ]
    drawn = curve("label", ["0.1", "0.2", "0.3"], lines, ("amount", "likeness"))
    for points in re.findall(r'<polyline points="([^"]*)"', drawn):
        assert len(points.split()) == 2
    for text in ("<title>a: at half</title>", "<title>c: low</title>", ">amount</text>", ">likeness</text>"):
        assert drawn.count(text) == 2, text  # one chart for desktops and one for phones
    assert "none" not in drawn


def test_a_curve_omits_names_of_positions_for_which_there_is_no_space() -> None:
    places = [str(n) for n in range(50)]
    drawn = curve("label", places, [[Mark("", 1, 0.5, None) for _ in places]], ("amount", "likeness"))
    wide, narrow = (re.findall(r'class="tick">(\d\d?)</text>', each) for each in drawn.split('class="narrow"')[:2])
    assert len(narrow) < len(wide) < len(places)


def test_a_histogram_shows_shares_of_images_instead_of_counts() -> None:
    once, thrice = (histogram("label", {1: [n, 3 * n, 0]}, "entropy") for n in (1, 3))
    assert once == thrice
    assert "80 %" in once or "75 %" in once or "60 %" in once


def test_the_text_on_a_tile_contrasts_with_the_colour_of_the_tile() -> None:
    drawn = draw_tiles(
        "label", [Tile(0, 0, 0.05, "dark"), Tile(1, 0, 0.95, "bright"), Tile(2, 0, None, "nothing", "clean")]
    )
    assert re.findall(r'fill="(#\w{6})" class="value"', drawn) == ["#ffffff", "#000000"]
    assert drawn.count("<title>") == 3


def test_a_mean_map_is_brightest_at_its_maximum_and_the_legend_spans_all_colours() -> None:
    drawn = draw_mean_map("label", [[0.0, 0.2], [0.1, 0.05]])
    assert re.findall(r'fill="(#\w{6})"', drawn)[1] == "#fcffa4"
    scale = re.findall(r'fill="(#\w{6})"', draw_legend("label", "0", "1"))
    assert (scale[0], scale[-1]) == ("#000004", "#fcffa4")
