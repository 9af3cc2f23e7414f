import pytest
import torch

from worker.measures import degradation, noise
from worker.measures.explanation import Explanation


def explanation(probabilities: list[list[float]], targets: list[int]) -> Explanation:
    """Return explanations with equal maps, these probabilities (N, C), and these explained classes (N,)."""
    rows, maps = torch.tensor(probabilities), torch.rand(2, 8, 8, generator=torch.Generator().manual_seed(0))
    return Explanation(maps, maps, torch.zeros(2).bool(), rows, rows.argmax(1), torch.tensor(targets))


def test_the_probability_change_is_that_of_the_predicted_class_whichever_class_is_explained() -> None:
    clean = explanation([[0.75, 0.25], [0.25, 0.75]], [1, 1])
    variant = explanation([[0.375, 0.625], [0.125, 0.875]], [0, 1])
    noisy = noise.score(clean, {"0.5": variant})
    blurred = degradation.score(clean, {"background": variant, "object": variant})
    for found, part in ((noisy, "noise.0.5"), (blurred, "degradation.background"), (blurred, "degradation.object")):
        assert found[f"{part}.probability_change"].tolist() == pytest.approx([-0.375, 0.125])
        assert found[f"{part}.flipped"].tolist() == [1, 0]
