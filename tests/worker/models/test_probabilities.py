"""Models whose outputs are probabilities: the probabilities become logits, and the results show them unchanged."""

import pytest
import torch
from torch import Tensor

from worker.models.classifier import Head


def head(width: int, single: int = 1) -> Head:
    return Head(width, single, None, gives_probabilities=True)


def test_the_logit_of_a_sigmoids_output_is_the_sigmoids_input() -> None:
    z = torch.linspace(-14, 14, 57, dtype=torch.float64)[:, None]
    undone = head(1).logits(z.sigmoid())
    assert torch.allclose(
        undone[:, 1].double(), z[:, 0], atol=0.05
    )  # float32 probabilities near 1 determine the logit only to about 0.05
    assert torch.equal(undone[:, 0], -undone[:, 1])
    assert torch.equal(head(1, single=0).logits(z.sigmoid()), undone.flip(1))


def test_the_logits_of_a_softmaxs_outputs_are_its_inputs_up_to_a_constant() -> None:
    z = torch.randn(20, 5, generator=torch.Generator().manual_seed(0)) * 8
    assert torch.allclose(head(5).logits(z.softmax(1)), z.log_softmax(1), atol=1e-4)


@pytest.mark.parametrize(
    "given",
    [[[0.0], [1.0], [1e-30], [0.25], [0.999999]], [[0.0, 1.0], [1.0, 0.0], [1e-30, 1.0], [0.3, 0.7004], [0.5, 0.5]]],
    ids=["one", "several"],
)
def test_logits_of_probabilities_and_their_gradients_are_finite_and_give_the_same_probabilities(
    given: list[list[float]],
) -> None:
    outputs: Tensor = torch.tensor(given, requires_grad=True)
    made = head(len(given[0]))
    logits = made.logits(outputs)
    (gradients,) = torch.autograd.grad(logits.sum(0)[1], outputs)
    assert logits.isfinite().all()
    assert gradients.isfinite().all()
    found = made.probabilities(logits)[:, -outputs.shape[1] :]
    assert torch.allclose(found, outputs, rtol=1e-5, atol=1e-7)
