"""Compares the clean map of each image with that of its partner, an unrelated image of the same label."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch

from worker.audit.audit import Audit, Missing, Scores
from worker.audit.cache_keys import class_number
from worker.audit.image_decoder import FetchedImage
from worker.audit.reader import ReadImage
from worker.audit.scoring import score_chance_across
from worker.measures.chance import score
from worker.measures.explanation import Explanation, concatenate

# The image's number, the run, and the batch size of the model, on which the last bits of a map can depend.
Key = tuple[int, int, int]


@dataclass
class PartnerMaps:
    """Stores the clean explanations of images by image and run, since the chance of the next image may need them.

    `classes` has the class number of each label. `computed` counts the explanations that were computed only for the
    chance of another image.
    """

    classes: Mapping[str, int]
    computed: int = 0
    _found: dict[Key, Explanation] = field(default_factory=dict)

    def add(self, audit: Audit, read: Sequence[ReadImage], scores: Scores) -> None:
        """Store the clean explanations of images that an audit has just scored."""
        for run, clean in scores.clean.items():
            for position, each in enumerate(read):
                self._found[_key(audit, each.fetched, run)] = clean.slice(position, position + 1)

    def delete_except(self, number: int) -> None:
        """Delete all explanations except those of one image."""
        self._found = {key: each for key, each in self._found.items() if key[0] == number}

    @torch.no_grad()
    def with_chance(self, audit: Audit, read: Sequence[ReadImage], scores: Scores, wanted: Missing) -> Scores:
        """Return `scores` with the columns of `chance` that are `wanted`. Raises ModelRefused as Audit does."""
        runs = scores.clean if wanted.across else scores.runs
        partners = {run: self._partners(audit, read, run, scores.clean[run]) for run in runs}
        columns = {run: own | score(scores.clean[run], partners[run]) for run, own in scores.runs.items()}
        across = scores.across
        if wanted.across:
            across = across | score_chance_across(audit.spec, list(scores.clean.values()), list(partners.values()))
        return replace(scores, runs=columns, across=across)

    def _partners(self, audit: Audit, read: Sequence[ReadImage], run: int, own: Explanation) -> Explanation:
        """Return the clean explanation of each image's partner under a run; degenerate for images without a partner."""
        rows = []
        for position, each in enumerate(read):
            if each.partner is None:
                row = own.slice(position, position + 1)
                rows.append(replace(row, degenerate=torch.ones_like(row.degenerate)))
            else:
                rows.append(self._clean(audit, each.partner, run))
        return concatenate(rows)

    def _clean(self, audit: Audit, partner: FetchedImage, run: int) -> Explanation:
        key = _key(audit, partner, run)
        if key not in self._found:
            assert partner.values is not None, "the reader has decoded the partner"
            label = class_number(partner.image.label, self.classes)
            self._found[key] = audit.explain_clean(run, partner.values.to(audit.classifiers[run].device), label)
            self.computed += 1
        return self._found[key]


def _key(audit: Audit, fetched: FetchedImage, run: int) -> Key:
    return fetched.image.number, run, audit.classifiers[run].chunk
