from pathlib import Path

import pytest
import torch

from tests.support.audits import audit, failure
from tests.support.jobs import SIZE, AuditInputs
from tests.support.models import TinyNet
from worker.runner import Runner


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # the database does not matter here
def test_a_model_whose_weights_cannot_be_replaced_is_refused_if_the_spec_requests_the_check(
    runner: Runner, ingredients: AuditInputs, tmp_path: Path
) -> None:
    traced = torch.jit.trace(TinyNet(0), torch.zeros(1, 3, SIZE, SIZE))
    frozen = torch.jit.freeze(traced)
    frozen.save(str(tmp_path / "frozen.pt"))
    cohort = {**ingredients.cohort("frozen", 0), "runs": [{"uri": (tmp_path / "frozen.pt").as_uri()}]}
    request = {"cohorts": [cohort], "measures": ["entropy"], "salience": {"method": "saliency"}}
    found = failure(audit(runner, ingredients.spec(**request, soundness={"weights": True})))
    assert found["field"] == "soundness.weights"
    assert "set it to false" in found["detail"]
