"""Collects what the runs of a cohort predict for each image, from the columns of their numbers."""

import numpy as np

from service.domain.job import ImageSet, Job
from worker.audit.cache_keys import class_number
from worker.audit.scoring import class_columns
from worker.results.columns import ColumnTable
from worker.statistics.bootstrap import Array
from worker.statistics.performance import Predictions, attack_types


def predictions(job: Job, cohort: int, image_set: ImageSet, table: ColumnTable) -> Predictions:
    """Return the predictions of a cohort for the images of a set; a class of -1 says that an image has no label."""
    assert job.plan is not None, "numbers exist only once the job is planned"
    facts, values = job.plan["cohorts"][cohort], table.runs[cohort]

    def column(name: str) -> Array:
        return np.asarray(values[:, :, image_set.run.index(name)])

    classes = np.array([class_number(label, facts["classes"]) for label in table.labels], np.int64)
    stored = [column(name) for name in class_columns(facts["class_count"])]
    probabilities = np.stack(stored, axis=2) if stored else np.empty((*values.shape[:2], 0))
    attack = facts["attack_class"]
    groups = {name: [own[place] for own in table.groups] for place, name in enumerate(job.spec.images.groups)}
    types = attack_types(classes == attack, (classes >= 0) & (classes != attack), groups) if attack is not None else {}
    return Predictions(
        classes, column("correct"), column("top_probability"), column("brier"), probabilities, attack,
        np.ones(len(classes), bool), types,
    )  # fmt: skip
