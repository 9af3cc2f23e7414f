"""The measure `chance`: how similar the maps of unrelated images are. Other similarities are compared with chance.

Pure: tensors in, tensors out.
"""

from worker.measures.columns import Columns
from worker.measures.explanation import Explanation
from worker.measures.similarity import POINTWISE, similarities, without_degenerate


def score(clean: Explanation, partners: Explanation) -> Columns:
    """Return the similarities between the clean maps of images and those of their partners, each (N,).

    The similarities of a pair are missing (NaN) if either of its maps is degenerate.
    """
    found = similarities(clean.comparable, partners.comparable)
    known = without_degenerate(found, clean.degenerate | partners.degenerate)
    return {"chance": known["ssim"]} | {f"chance.{name}": known[name] for name in POINTWISE}
