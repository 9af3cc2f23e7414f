"""Likeness to people: whether the map resembles the human salience map of the image."""

from service.measures.measure import Measure, Ranking, Wording

HUMAN = Measure(
    name="human",
    meaning="SSIM between the map and the human salience map of the image. High: the model attends to what people do.",
    source="the comparison behind CYBORG, Boyd et al. 2023, arXiv 2112.00686",
    wording=Wording(
        "Likeness to people",
        "Does it look where people look?",
        low="looks elsewhere than people",
        middling="looks in part where people look",
        high="looks where people look",
    ),
    is_default=False,
    needs_human_maps=True,
    ranking=Ranking("least like people", "Least like people", "the maps are farthest from people's"),
)
