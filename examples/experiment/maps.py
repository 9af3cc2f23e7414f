"""Computes the maps of every run for the audited images, with the code of the worker."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from service.spec.model import JobSpec, Json
from worker.audit.explanation import explain
from worker.inputs.decode import read_image
from worker.measures.explanation import concatenate
from worker.models.classifier import predicted
from worker.models.load import load_classifier

Array = NDArray[np.float32]
CHUNK = 16


def compute_maps(spec: Json, images: Sequence[Path]) -> Mapping[str, Array]:
    """Return the maps of each cohort, of shape (runs, images, H, W), in [0, 1]."""
    job = JobSpec.model_validate(spec)
    found = {}
    for cohort in job.cohorts:
        values = [read_image(path.read_bytes(), cohort.model.preprocessing).values for path in images]
        runs = []
        for run in cohort.runs:
            classifier = load_classifier(Path(run.uri.removeprefix("file://")), cohort.model, CHUNK)
            chunks = [values[start : start + CHUNK] for start in range(0, len(values), CHUNK)]
            with torch.no_grad():
                runs.append(concatenate([explain(classifier, chunk, predicted, job) for chunk in chunks]).maps.numpy())
        found[cohort.name] = np.stack(runs)
    return found
