"""The sample's pictures with their maps: cards in the order of what they were chosen for."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from service.kept import KeptPicture
from service.pages.report.charts import tone
from service.pages.report.material import Json, Material
from service.pages.report.overlays import Overlays, heat
from service.variants import picture_of

FIRST = 6  # pictures that a group has before those after it take theirs
TITLES = {
    "most typical": ("Most typical", "nearest to the mean of all measures"),
    "least typical": ("Least typical", "farthest from the mean of all measures"),
    "runs agree least": ("Most unstable across runs", "the runs' maps agree least"),
    "most disturbed by noise": ("Most disturbed by noise", "noise moves the look most"),
    "follows transformations least": ("Follows transformations least", "moved pictures are looked at elsewhere"),
    "needs what it does not look at": ("Needs what it does not look at", "blurring the background moves the look most"),
    "least like people": ("Least like people", "the maps are farthest from people's"),
    "most often wrong": ("Most often wrong", "most runs give another class"),
    "cohorts differ most": ("Cohorts differ most", "by all measures together"),
}
WORRYING = ("runs agree least", "most often wrong", "most disturbed by noise", "least typical")


@dataclass(frozen=True)
class Shown:
    """A cohort's look at a picture: the mean map over it, and the grid of all runs and variants."""

    cohort: str
    tone: int
    mean: Markup
    grid: Markup


@dataclass(frozen=True)
class Card:
    """A picture: its name and label, what it was chosen for and its rank in that, and each cohort's look at it."""

    key: str
    name: str
    label: str
    why: Sequence[str]
    ranks: Mapping[str, int]
    plain: Markup
    shown: Sequence[Shown]
    says: str


@dataclass(frozen=True)
class Group:
    """Pictures chosen for one reason."""

    key: str
    title: str
    meaning: str
    cards: Sequence[Card]


@dataclass(frozen=True)
class Gallery:
    """All groups, the pictures that they use, and some to worry about."""

    groups: Sequence[Group]
    definitions: Markup
    worrying: Sequence[Card]


def gallery(about: Material) -> Gallery:
    """The sample by what its pictures were chosen for."""
    by_image: dict[int, dict[int, KeptPicture]] = {}
    for each in about.pictures:
        by_image.setdefault(each.image, {})[each.cohort] = each
    numbers = {about.names[number]: number for number in by_image}
    drawn = Overlays(about)
    cards = {}
    definitions = heat() if by_image else Markup("")
    for chosen in about.results.get("sample", ()):
        if chosen["image"] in numbers:
            image = numbers[chosen["image"]]
            cards[chosen["image"]] = _card(about, drawn, (image, chosen), by_image[image])
            definitions += drawn.definitions(image, by_image[image])
    return Gallery(_groups(cards), definitions, _worrying(cards))


def _worrying(cards: Mapping[str, Card]) -> list[Card]:
    """The first of each reason to worry."""
    found: dict[str, Card] = {}
    for why in WORRYING:
        card = next(iter(_free(cards, why, found)), None)
        if card:
            found[card.key] = replace(card, why=[why])
    return list(found.values())


def _free(cards: Mapping[str, Card], why: str, taken: Collection[str]) -> list[Card]:
    """Those chosen for a reason and not taken yet, the first of its ranking before others."""
    free = [each for each in cards.values() if why in each.why and each.key not in taken]
    return sorted(free, key=lambda card: card.ranks[why])


def _groups(cards: Mapping[str, Card]) -> list[Group]:
    """Each picture in the first group, in the page's order, that has room for it; the classes' groups come last."""
    classes = {why: None for card in cards.values() for why in card.why if why not in TITLES}
    found: dict[str, list[Card]] = {why: [] for why in (*TITLES, *classes)}
    for room in (FIRST, len(cards)):
        for why, members in found.items():
            taken = {card.key for own in found.values() for card in own}
            members += _free(cards, why, taken)[: max(room - len(members), 0)]
    groups: list[Group] = []
    for why, members in found.items():
        if members:
            title, meaning = TITLES.get(why, (why.capitalize(), "nearest to the mean of its class"))
            groups.append(Group(f"group-{len(groups)}", title, meaning, [_beside(card, why) for card in members]))
    return groups


def _beside(card: Card, why: str) -> Card:
    """The card in its group, with what else it was chosen for."""
    return replace(card, why=[each for each in card.why if each != why])


def _card(about: Material, drawn: Overlays, of: tuple[int, Json], kept: Mapping[int, KeptPicture]) -> Card:
    image, chosen = of
    name, first = chosen["image"], picture_of(about.job.spec, min(kept))
    shown = [
        Shown(about.cohorts[cohort], tone(cohort), drawn.mean(image, cohort, name), drawn.grid(image, cohort, name))
        for cohort in sorted(kept)
        if kept[cohort].sheet
    ]
    plain = drawn.plain(image, first, name)
    why = chosen["why"]
    ranks = dict(zip(why, chosen.get("ranks", range(len(why))), strict=True))  # older results have none
    return Card(f"image-{image}", name, chosen["label"] or "", why, ranks, plain, shown, _says(about, image))


def _says(about: Material, image: int) -> str:
    """How many runs are right about a picture, where it has a label."""
    right = [
        values["correct"]
        for (number, _, run), values in about.values.items()
        if number == image and run >= 0 and not math.isnan(values["correct"])
    ]
    return f"{sum(map(int, right))} of {len(right)} runs are right" if right else ""
