"""The measures and salience methods on offer: what each tells, its range, its source.

The API answers from here, and the spec's own description quotes it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

CRUM = "Crum et al. 2023, arXiv 2303.11969"


@dataclass(frozen=True)
class Entry:
    """One measure or method; its values lie between `low` and `high`."""

    meaning: str
    source: str
    low: float = 0.0
    high: float = 1.0


MEASURES: Mapping[str, Entry] = {
    "entropy": Entry(
        "How many grey levels the native map uses: Shannon entropy of its 256 level histogram over the largest "
        "possible. Low: looks at little. Its part `spatial` tells how widely salience spreads.",
        f"Salience Entropy, {CRUM}",
    ),
    "noise": Entry(
        "Mean SSIM of the map with the maps under growing noise. High: keeps looking where it looked.",
        f"Salience-Assessed Reaction to Noise, {CRUM}",
        low=-1.0,
    ),
    "geometry": Entry(
        "Mean SSIM of the transformed map with the map of the transformed image. High: salience follows the content.",
        f"Salience Resilience to Geometrical Transformations, {CRUM}",
        low=-1.0,
    ),
    "stability": Entry(
        "Mean SSIM of the native maps of all pairs of a cohort's runs. High: independent trainings look alike.",
        f"Salience Stability Across Training Runs, {CRUM}",
        low=-1.0,
    ),
    "degradation": Entry(
        "SSIM of the map with the map after all that it ignores is blurred away. High: what it ignores, it does "
        "not need. `object` blurs what it looks at instead, and `gap` is the difference.",
        f"Salience-Based Image Degradation, {CRUM}",
        low=-1.0,
    ),
    "human": Entry(
        "SSIM of the map with the image's human salience map. High: looks where people look.",
        "the comparison behind CYBORG, Boyd et al. 2023, arXiv 2112.00686",
        low=-1.0,
    ),
    "randomisation": Entry(
        "Mean SSIM of the map with those of the same class after weights of the model were drawn anew, from the top "
        "layer down; a part a share of layers. Low: the map tells of the model. High: the method ignores it.",
        "cascading randomisation, Adebayo et al. 2018, arXiv 1810.03292",
        low=-1.0,
    ),
}

METHODS: Mapping[str, Entry] = {
    "gradcam": Entry(
        "Feature maps weighed by the mean gradient of the target's logit, rectified.", "Selvaraju et al. 2017"
    ),
    "cam": Entry(
        "Feature maps weighed by the target's row of the linear layer that follows their pooling, not rectified.",
        "Zhou et al. 2016",
    ),
    "gradcam++": Entry(
        "Grad-CAM whose weights count places by how much they raise the target.", "Chattopadhay et al. 2018"
    ),
    "hirescam": Entry("Gradient times feature map, place by place, rectified.", "Draelos and Carin 2020"),
    "layercam": Entry("Positive gradient times feature map, place by place, rectified.", "Jiang et al. 2021"),
    "eigencam": Entry(
        "Feature maps projected on their first principal axis, whatever the class.", "Muhammad and Yeasin 2020"
    ),
    "saliency": Entry("The largest gradient of a pixel's channels, without sign.", "Simonyan et al. 2014"),
    "integrated_gradients": Entry(
        "Pixel times mean gradient between black and the image, summed over channels, without sign.",
        "Sundararajan et al. 2017",
    ),
    "rise": Entry(
        "Mean of random masks, each weighed by the target's probability under it; asks a black box.",
        "Petsiuk et al. 2018",
    ),
}


def told(entries: Mapping[str, Entry]) -> str:
    """All of them in a text, for a field's description."""
    return "\n\n".join(f"`{name}`: {entry.meaning} ({entry.source})" for name, entry in entries.items())
