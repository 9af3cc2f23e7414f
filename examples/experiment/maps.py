"""Every run's maps of the audited pictures, by the worker's own code."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from service.domain import Json
from service.spec import JobSpec
from worker.classifiers.classifier import predicted
from worker.classifiers.load import load_classifier
from worker.explaining import join, see
from worker.images.read import read_picture

Array = NDArray[np.float32]
CHUNK = 16


def maps_of(spec: Json, pictures: Sequence[Path]) -> Mapping[str, Array]:
    """The maps of each cohort's runs, (runs, pictures, H, W) in [0, 1]."""
    job = JobSpec.model_validate(spec)
    found = {}
    for cohort in job.cohorts:
        values = [read_picture(path.read_bytes(), cohort.model.preprocessing).values for path in pictures]
        runs = []
        for run in cohort.runs:
            classifier = load_classifier(Path(run.uri.removeprefix("file://")), cohort.model, CHUNK)
            chunks = [values[start : start + CHUNK] for start in range(0, len(values), CHUNK)]
            with torch.no_grad():
                runs.append(join([see(classifier, chunk, predicted, job) for chunk in chunks]).maps.numpy())
        found[cohort.name] = np.stack(runs)
    return found
