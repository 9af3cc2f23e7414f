"""The similarity of unrelated images, some of whose maps are degenerate."""

import pytest
import torch
from torch import Tensor

from worker.measures import stability
from worker.measures.chance import score
from worker.measures.explanation import Explanation
from worker.measures.similarity import similarities

# Degenerate maps: none for image 0, its own map for image 1, its partner's map for image 2, and both for image 3.
OWN, PARTNERS = torch.tensor([False, True, False, True]), torch.tensor([False, False, True, True])
EITHER = [False, True, True, True]


def maps(seed: int, degenerate: Tensor) -> Explanation:
    values = torch.rand(4, 12, 12, generator=torch.Generator().manual_seed(seed))
    zero = torch.zeros(4, dtype=torch.long)
    values = values.masked_fill(degenerate[:, None, None], 0)
    return Explanation(values, values, degenerate, torch.zeros(4, 2), zero, zero)


def test_chance_is_missing_if_either_map_is_degenerate() -> None:
    own, partners = maps(0, OWN), maps(1, PARTNERS)
    found, twin = score(own, partners), similarities(own.comparable, partners.comparable)
    assert list(found) == ["chance", "chance.pearson", "chance.mse", "chance.iou20"]
    for column, values in zip(found.values(), twin.values(), strict=True):
        assert column.isnan().tolist() == EITHER
        assert column[0].item() == values[0].item()


def test_chance_across_runs_compares_an_image_under_one_run_with_its_partner_under_another() -> None:
    own = torch.stack([maps(seed, OWN).native for seed in (0, 1)])
    partners = torch.stack([maps(seed, PARTNERS).native for seed in (2, 3)])
    found = stability.chance(own, OWN.expand(2, -1), partners, PARTNERS.expand(2, -1))
    twin = score(maps(0, OWN), maps(3, PARTNERS))
    for kind in ("chance", "chance.pearson", "chance.mse", "chance.iou20"):
        assert found[f"stability.{kind}"].isnan().tolist() == EITHER
        assert found[f"stability.{kind}"][0].item() == pytest.approx(twin[kind][0].item())
    assert torch.equal(found["stability.chance.pair.0.1"][:1], twin["chance"][:1])
