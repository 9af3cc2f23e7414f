import hashlib
import os
from pathlib import Path

import pytest
import torch

from service.errors import ModelRefused
from tests.support.jobs import AuditInputs
from worker.models.cache import ModelCache

CPU = torch.device("cpu")


def test_a_model_is_loaded_once_and_again_when_its_file_changes(ingredients: AuditInputs, tmp_path: Path) -> None:
    path, spec, models = tmp_path / "m.pt", ingredients.spec(), ModelCache(CPU)
    model = spec.cohorts[0].model
    path.write_bytes(ingredients.models[0].read_bytes())
    first = models.load(path, model, spec)
    assert models.load(path, model, spec) is first
    path.write_bytes(ingredients.models[1].read_bytes())
    os.utime(path, ns=(0, 0))
    assert models.load(path, model, spec).sha256 == hashlib.sha256(path.read_bytes()).hexdigest() != first.sha256


def test_the_cache_drops_the_oldest_model_beyond_its_capacity(ingredients: AuditInputs) -> None:
    models, spec = ModelCache(CPU, capacity=1), ingredients.spec()
    model = spec.cohorts[0].model
    first = models.load(ingredients.models[0], model, spec)
    models.load(ingredients.models[1], model, spec)
    assert models.load(ingredients.models[0], model, spec) is not first


def test_a_model_whose_file_is_missing_is_refused(ingredients: AuditInputs, tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match="No such file"):
        ModelCache(CPU).load(tmp_path / "gone.pt", ingredients.spec().cohorts[0].model, ingredients.spec())
