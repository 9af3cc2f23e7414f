"""The images of the sample with their maps: cards, grouped by the ranking that selected them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from markupsafe import Markup

from service.domain.maps import StoredImage
from service.domain.variants import image_cohort
from service.measures import across_first
from service.web.report.cards import Card, CohortView
from service.web.report.charts import tone
from service.web.report.concerns import Concern, find_concerns
from service.web.report.data import Json, ReportData
from service.web.report.interpretation import correctness_text
from service.web.report.overlays import Overlays, colour_tables

TITLES = {
    "most typical": ("Most typical", "nearest to the mean of all measures"),
    "least typical": ("Least typical", "farthest from the mean of all measures"),
    **{each.ranking.why: (each.ranking.title, each.ranking.meaning) for each in across_first() if each.ranking},
    "most often wrong": ("Most often wrong", "most runs give another class"),
    "cohorts differ most": ("Cohorts differ most", "by all measures together"),
}


@dataclass(frozen=True)
class Group:
    """Images that one ranking selected. Images `before` rank higher, but another group shows them."""

    key: str
    title: str
    meaning: str
    cards: Sequence[Card]
    before: Sequence[Card]


@dataclass(frozen=True)
class Gallery:
    """All groups, the SVG definitions that they use, and the images to review."""

    groups: Sequence[Group]
    definitions: Markup
    concerns: Sequence[Concern]


def build_gallery(data: ReportData) -> Gallery:
    """Group the sample by ranking."""
    by_image: dict[int, dict[int, StoredImage]] = {}
    for each in data.images:
        by_image.setdefault(each.image, {})[each.cohort] = each
    numbers = {data.names[number]: number for number in by_image}
    drawn = Overlays(data)
    cards = {}
    definitions = colour_tables() if by_image else Markup("")
    for chosen in data.results["sample"]:
        if chosen["image"] in numbers:
            image = numbers[chosen["image"]]
            cards[chosen["image"]] = _card(data, drawn, (image, chosen), by_image[image])
            definitions += drawn.definitions(image, by_image[image])
    return Gallery(group_cards(cards), definitions, find_concerns(data, cards))


def group_cards(cards: Mapping[str, Card]) -> list[Group]:
    """Put each image into the group of the ranking that lists it highest; groups of classes come last."""
    order = [*TITLES, *dict.fromkeys(why for card in cards.values() for why in card.why if why not in TITLES)]
    found: list[Group] = []
    for why in order:
        ranking = sorted((card for card in cards.values() if why in card.why), key=lambda card: card.ranks[why])
        if ranking:
            own = [card for card in ranking if card.best_ranking == why]
            before = list(takewhile(lambda card: card.best_ranking != why, ranking))  # noqa: B023  # evaluated at once
            title, description = TITLES.get(why, (why.capitalize(), "nearest to the mean of its class"))
            shown = [_without_reason(card, why) for card in own]
            found.append(Group(f"group-{len(found)}", title, description, shown, before))
    return found


def _without_reason(card: Card, why: str) -> Card:
    """Return the card without the reason that its group already names."""
    return replace(card, why=[each for each in card.why if each != why])


def _card(data: ReportData, drawn: Overlays, which: tuple[int, Json], stored: Mapping[int, StoredImage]) -> Card:
    image, chosen = which
    name, first = chosen["image"], image_cohort(data.job.spec, min(stored))
    shown = [
        CohortView(data.cohorts[cohort], tone(cohort), drawn.mean(image, cohort, name), drawn.grid(image, cohort, name))
        for cohort in sorted(stored)
        if stored[cohort].sheet
    ]
    plain = drawn.plain(image, first, name)
    why = chosen["why"]
    ranks = dict(zip(why, chosen.get("ranks", range(len(why))), strict=True))  # older results have no ranks
    return Card(image, name, chosen["label"] or "", why, ranks, plain, shown, _correctness_text(data, image))


def _correctness_text(data: ReportData, image: int) -> str:
    """Say how many runs classify an image correctly; empty if it has no label."""
    right = [
        int(values["correct"])
        for (number, _, run), values in data.values.items()
        if number == image and run >= 0 and not math.isnan(values["correct"])
    ]
    return correctness_text(sum(right), len(right)) if right else ""
