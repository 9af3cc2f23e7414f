"""Likeness to people: whether the map is similar to the human salience map of the image."""

from service.measures.measure import Measure, Ranking, Wording

HUMAN = Measure(
    name="human",
    meaning="SSIM between the map and the human salience map of the image. High: the model attends to the same regions "
    "as people.",
    source="the comparison behind CYBORG, Boyd et al. 2023, arXiv 2112.00686",
    wording=Wording(
        "Likeness to people",
        "Does the model attend to the same regions as people?",
        low="the model attends to other regions than people",
        middling="the model attends partly to the same regions as people",
        high="the model attends to the same regions as people",
    ),
    is_default=False,
    needs_human_maps=True,
    has_chance=True,
    ranking=Ranking("least like people", "Least like people", "the maps differ most from human maps"),
)
