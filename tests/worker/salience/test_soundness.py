import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from skimage.metrics import structural_similarity
from torch import Tensor

from worker.salience.cam import NEEDS_LAYER
from worker.salience.soundness import CLASS, DIFFERENCE, Evidence, compare_gradcam, soundness_columns

SIZE = (24, 32)
BOTH = (CLASS, DIFFERENCE)


def made(seed: int = 0, count: int = 3) -> Evidence:
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(count, 5, 6, 8, generator=generator)
    return Evidence(features, *(torch.randn(count, 5, 6, 8, generator=generator) for _ in range(2)))


def slow_map(features: Tensor, gradients: Tensor) -> NDArray[np.float32]:
    """Return Grad-CAM of one image, computed channel by channel and resized with Pillow. Both inputs are (K, h, w)."""
    raw = np.zeros(features.shape[1:], np.float32)
    for channel, gradient in zip(features.numpy(), gradients.numpy(), strict=True):
        raw += gradient.mean() * channel
    raw = np.maximum(raw, 0)
    native = (raw - raw.min()) / (raw.max() - raw.min())
    return np.asarray(Image.fromarray(native).resize(SIZE[::-1], Image.Resampling.BICUBIC)).clip(0, 1)


def test_both_similarities_agree_with_pillow_and_scikit_image() -> None:
    evidence = made()
    found = compare_gradcam(BOTH, evidence, SIZE)
    for n in range(3):
        features, gradients, others = evidence.features[n], evidence.gradients[n], evidence.other_gradients[n]
        target = slow_map(features, gradients)
        for name, against in ((CLASS, others), (DIFFERENCE, gradients - others)):
            twin = structural_similarity(target, slow_map(features, against), data_range=1)
            assert found[name][n].item() == pytest.approx(twin, abs=1e-4)


def test_if_two_classes_have_equal_gradients_their_maps_are_equal_and_diffgradcam_is_degenerate() -> None:
    evidence = made()
    found = compare_gradcam(BOTH, Evidence(evidence.features, evidence.gradients, evidence.gradients), SIZE)
    assert torch.allclose(found[CLASS], torch.ones(3), atol=1e-6)
    assert found[DIFFERENCE].tolist() == [0, 0, 0]


def test_a_channel_that_raises_all_logits_equally_makes_class_maps_similar_and_diffgradcam_different() -> None:
    evidence = made()
    border = torch.zeros(6, 8)
    border[0] = border[-1] = 30
    features, shared = evidence.features.clone(), torch.zeros_like(evidence.gradients)
    features[:, 0] = border
    shared[:, 0] = 40
    gradients, others = evidence.gradients.clone(), evidence.other_gradients.clone()
    gradients[:, 0] = others[:, 0] = 0
    honest = compare_gradcam(BOTH, Evidence(features, gradients, others), SIZE)
    found = compare_gradcam(BOTH, Evidence(features, gradients + shared, others + shared), SIZE)
    assert (found[CLASS] > 0.95).all()
    assert (honest[CLASS] < 0.9).all()
    assert (found[DIFFERENCE] < 0.3).all()
    assert (found[DIFFERENCE] < honest[DIFFERENCE]).all()


def test_a_similarity_is_nan_if_the_targets_map_is_degenerate_and_zero_if_only_the_other_map_is() -> None:
    evidence = made()
    gradients, others = evidence.gradients.clone(), evidence.other_gradients.clone()
    gradients[0], others[1] = -1, -1
    found = compare_gradcam(BOTH, Evidence(evidence.features.abs(), gradients, others), SIZE)
    assert found[CLASS][0].isnan()
    assert found[DIFFERENCE][0].isnan()
    assert found[CLASS][1] == 0
    assert found[CLASS][2] != 0


def test_each_images_similarities_do_not_depend_on_the_other_images() -> None:
    evidence = made(1, 4)
    together = compare_gradcam(BOTH, evidence, SIZE)
    for n in range(4):
        rows = (each[n : n + 1] for each in (evidence.features, evidence.gradients, evidence.other_gradients))
        alone = compare_gradcam(BOTH, Evidence(*rows), SIZE)
        assert all(torch.allclose(alone[name][0], together[name][n], atol=1e-6) for name in BOTH)


def test_the_columns_of_soundness_depend_on_the_salience_method() -> None:
    assert {method for method in NEEDS_LAYER if CLASS in soundness_columns(method)} == NEEDS_LAYER
    assert [method for method in NEEDS_LAYER if DIFFERENCE in soundness_columns(method)] == ["gradcam"]
    assert [soundness_columns(method) for method in ("rise", "saliency", "integrated_gradients")] == [()] * 3
