"""The soundness checks that a spec requests in addition to those that every job makes."""

from service.measures.strict_model import StrictModel


class SoundnessChecks(StrictModel):
    """Soundness checks that need passes of their own."""

    weights: bool = False
    """Whether to compare the maps of at most 32 images with those under a head of new random weights."""
