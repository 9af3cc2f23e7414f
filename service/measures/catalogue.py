"""The measures and salience methods on offer: what each tells, its range, its source.

The API answers from here, and the spec's own description quotes it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

CRUM = "Crum et al. 2023, arXiv 2303.11969"


@dataclass(frozen=True)
class CatalogueItem:
    """One measure or method; its values lie between `low` and `high`."""

    meaning: str
    source: str
    low: float = 0.0
    high: float = 1.0


MEASURES: Mapping[str, CatalogueItem] = {
    "entropy": CatalogueItem(
        "How many grey levels the native map uses: Shannon entropy of its 256-level histogram, divided by its largest "
        "possible value. Low: salience is concentrated. The part `spatial` measures how widely salience spreads.",
        f"Salience Entropy, {CRUM}",
    ),
    "noise": CatalogueItem(
        "Mean SSIM between the clean map and the maps under increasing noise. High: attention stays where it was.",
        f"Salience-Assessed Reaction to Noise, {CRUM}",
        low=-1.0,
    ),
    "geometry": CatalogueItem(
        "Mean SSIM between transformed maps and the maps of transformed images. High: salience follows the content.",
        f"Salience Resilience to Geometrical Transformations, {CRUM}",
        low=-1.0,
    ),
    "stability": CatalogueItem(
        "Mean SSIM between the native maps of all pairs of runs of a cohort. High: independently trained runs agree.",
        f"Salience Stability Across Training Runs, {CRUM}",
        low=-1.0,
    ),
    "degradation": CatalogueItem(
        "SSIM between the maps before and after everything outside the salient region is blurred. High: the model "
        "does not need what it ignores. `object` blurs the salient region instead; `gap` is the difference.",
        f"Salience-Based Image Degradation, {CRUM}",
        low=-1.0,
    ),
    "human": CatalogueItem(
        "SSIM between the map and the human salience map of the image. High: the model attends to what people do.",
        "the comparison behind CYBORG, Boyd et al. 2023, arXiv 2112.00686",
        low=-1.0,
    ),
    "randomisation": CatalogueItem(
        "Mean SSIM between the map and the maps of the same class after layers of the model got new random weights, "
        "from the output backwards; one part per share of layers. Low: the map depends on the model. High: the method "
        "ignores the model.",
        "cascading randomisation, Adebayo et al. 2018, arXiv 1810.03292",
        low=-1.0,
    ),
}

METHODS: Mapping[str, CatalogueItem] = {
    "gradcam": CatalogueItem(
        "Feature maps weighted by the mean gradient of the target's logit, rectified.", "Selvaraju et al. 2017"
    ),
    "cam": CatalogueItem(
        "Feature maps weighted by the target's row of the linear layer that follows pooling, not rectified.",
        "Zhou et al. 2016",
    ),
    "gradcam++": CatalogueItem(
        "Grad-CAM whose weights count each place by how much it raises the target.", "Chattopadhay et al. 2018"
    ),
    "hirescam": CatalogueItem("Gradient times feature map, place by place, rectified.", "Draelos and Carin 2020"),
    "layercam": CatalogueItem("Positive gradient times feature map, place by place, rectified.", "Jiang et al. 2021"),
    "eigencam": CatalogueItem(
        "Feature maps projected on their first principal axis; independent of the class.", "Muhammad and Yeasin 2020"
    ),
    "saliency": CatalogueItem("The largest gradient of a pixel's channels, without sign.", "Simonyan et al. 2014"),
    "integrated_gradients": CatalogueItem(
        "Pixel times mean gradient between black and the image, summed over channels, without sign.",
        "Sundararajan et al. 2017",
    ),
    "rise": CatalogueItem(
        "Mean of random masks, each weighted by the target's probability under it; works with black boxes.",
        "Petsiuk et al. 2018",
    ),
}


def describe_entries(entries: Mapping[str, CatalogueItem]) -> str:
    """All of them in a text, for a field's description."""
    return "\n\n".join(f"`{name}`: {entry.meaning} ({entry.source})" for name, entry in entries.items())
