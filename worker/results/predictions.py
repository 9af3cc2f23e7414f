"""Collects the predictions of a cohort's runs for each image from the stored columns of values."""

import numpy as np

from service.domain.job import ImageSet, Job
from worker.audit.cache_keys import class_number
from worker.audit.scoring import class_columns
from worker.results.columns import ColumnTable
from worker.statistics.bootstrap import Array
from worker.statistics.performance import Predictions, attack_types


def predictions(job: Job, cohort: int, image_set: ImageSet, table: ColumnTable) -> Predictions:
    """Return the predictions of a cohort for an image set. Images without a label have the class -1."""
    assert job.plan is not None, "a job has values only after it is planned"
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
