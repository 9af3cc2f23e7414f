import json
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch

from service.domain.job import JobState
from service.spec.model import JobSpec, spec_digest
from service.storage import Store
from tests.support.audits import audit, failure, results
from tests.support.jobs import AuditInputs, write_image
from worker.context import WorkerContext
from worker.inputs.resolver import InputResolver
from worker.models import architectures as zoo
from worker.runner import Runner


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files without logging requests."""

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def test_results_have_all_documented_fields(runner: Runner, ingredients: AuditInputs) -> None:
    spec = ingredients.spec(cohorts=[ingredients.cohort("a", 0, 1), ingredients.cohort("b", 1, 2)])
    found = results(runner.store, audit(runner, spec))
    cohort = found["cohorts"]["a"]
    assert set(cohort["measures"]) == {"entropy", "noise", "geometry", "stability", "degradation"}
    for measure in cohort["measures"].values():
        assert measure.keys() >= {"mean", "sd", "ci95", "q05", "q25", "q50", "q75", "q95", "n", "parts"}
    for name in ("entropy", "noise", "geometry", "degradation"):
        low, high = cohort["measures"][name]["ci95"]
        assert low <= cohort["measures"][name]["mean"] <= high
    assert cohort["measures"]["stability"]["ci95"] is None
    assert cohort["measures"]["stability"]["note"].startswith("needs three runs")
    assert set(cohort["measures"]["noise"]["parts"]) == {"0.1", "0.5"}
    assert cohort["measures"]["noise"]["parts"]["0.1"].keys() >= {"mean", "ci95", "pearson", "mse", "iou20"}
    assert set(cohort["measures"]["geometry"]["parts"]) == {"hflip", "shift:4,0"}
    assert set(cohort["measures"]["degradation"]["parts"]) == {"background", "object", "gap"}
    assert set(cohort["measures"]["stability"]["parts"]) == {"resized", "matrix"}
    assert [run["uri"] for run in cohort["runs"]] == [run.uri for run in spec.cohorts[0].runs]
    assert set(cohort["strata"]["class"]) == {"real", "synthetic"}
    assert set(cohort["strata"]["correct"]) == {"true", "false"}
    assert found["skipped"] == []
    assert found["differences"][0].keys() >= {"a", "b", "measure", "compares", "mean", "ci95", "d_z", "p", "p_holm"}


def test_results_contain_their_provenance(runner: Runner, ingredients: AuditInputs) -> None:
    spec = ingredients.spec()
    found = results(runner.store, audit(runner, spec))["provenance"]
    assert JobSpec.model_validate(found["spec"]) == spec
    assert set(found["models"]) == {run.uri for run in spec.cohorts[0].runs}
    assert found["layers"] == {"plain": "features"}
    assert found["images"]["listed"] == found["images"]["read"] == 12
    assert found["software"]["torch"] == torch.__version__
    assert (found["device"], found["precision"]) == ("cpu", "float32")


def test_results_contain_no_secret_of_a_uri(runner: Runner, ingredients: AuditInputs) -> None:
    serve = partial(QuietHandler, directory=str(ingredients.root))
    with ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        threading.Thread(target=server.serve_forever).start()
        uri = f"http://127.0.0.1:{server.server_port}/{ingredients.models[0].name}?token="
        cohort = {**ingredients.cohort("web", 0), "runs": [{"uri": uri + "hidden1"}, {"uri": uri + "hidden2"}]}
        job = audit(runner, ingredients.spec(cohorts=[cohort], measures=["entropy"]))
        server.shutdown()
    found = results(runner.store, job)
    assert "hidden" not in json.dumps(found)
    assert [run["uri"] for run in found["cohorts"]["web"]["runs"]] == [uri + "***"] * 2
    assert list(found["provenance"]["models"]) == [uri + "***", uri + "*** (2)"]


def test_the_images_that_a_limit_selects_depend_on_the_seed_alone(runner: Runner, ingredients: AuditInputs) -> None:
    names = []
    for seed in (0, 0, 1):
        spec = ingredients.spec(seed=seed, images={"uri": ingredients.images.as_uri(), "limit": 4})
        job = audit(runner, spec)
        names.append([image.name for image in runner.store.images.slice(job.id, 0, 100)])
    assert names[0] == names[1] != names[2]
    assert [len(each) for each in names] == [4, 4, 4]


def test_class_numbers_do_not_change_if_a_limit_selects_no_image_of_a_label(
    runner: Runner, ingredients: AuditInputs
) -> None:
    images = {"uri": ingredients.images.as_uri(), "limit": 1}
    job = audit(runner, ingredients.spec(images=images, measures=["entropy"]))
    assert job.plan is not None, job.error
    assert job.plan["cohorts"][0]["classes"] == {"real": 0, "synthetic": 1}


def test_an_unreadable_image_is_skipped_and_counted(runner: Runner, ingredients: AuditInputs, tmp_path: Path) -> None:
    for number in range(3):
        write_image(tmp_path / f"{number}.png", np.random.default_rng(number))
    (tmp_path / "broken.png").write_bytes(b"no image")
    images = {"uri": tmp_path.as_uri(), "max_skipped": 0.25}
    found = results(runner.store, audit(runner, ingredients.spec(images=images)))
    assert found["skipped"] == [{"image": "broken.png", "set": "images", "reason": "not an image in a known format"}]
    assert found["cohorts"]["plain"]["measures"]["entropy"]["n"] == 3 * 2
    assert found["provenance"]["images"]["skipped"] == 1


def test_a_cancelled_job_stops_after_the_current_batch(
    store: Store, places: InputResolver, ingredients: AuditInputs
) -> None:
    cohort = ingredients.cohort("long", 0, 1, 2)
    cohort["model"]["preprocessing"]["size"] = [96, 96]
    spec = ingredients.spec(cohorts=[cohort], options={})
    job = store.jobs.accept(spec, spec_digest(spec), None)[0].id
    runner = Runner(store, WorkerContext.create(torch.device("cpu"), places, 2), "w", 0.1, notify=lambda _: None)
    assert runner.work()
    measuring = threading.Thread(target=runner.work)
    measuring.start()
    while not store.jobs.get(job).passes_done:
        time.sleep(0.01)
    store.jobs.cancel(job)
    measuring.join()
    ended = store.jobs.get(job)
    assert ended.state is JobState.CANCELLED
    assert ended.passes_done < (ended.passes_total or 0)
    assert store.images.measured(job, 0, 1)[0].values == []


def test_a_job_of_a_single_run_and_images_without_labels_succeeds(
    runner: Runner, ingredients: AuditInputs, tmp_path: Path
) -> None:
    write_image(tmp_path / "only.png", np.random.default_rng(0))
    spec = ingredients.spec(cohorts=[ingredients.cohort("alone", 0)], images={"uri": tmp_path.as_uri()})
    found = results(runner.store, audit(runner, spec))["cohorts"]["alone"]
    assert "stability" not in found["measures"]
    assert (found["accuracy"], found["strata"]) == (None, {})
    assert found["measures"]["entropy"]["ci95"] is None


@pytest.mark.parametrize("name", ["mnasnet0_5", "vit_b_16"])
def test_a_mnasnet_checkpoint_is_audited_and_a_vit_checkpoint_for_other_images_is_refused(
    runner: Runner, ingredients: AuditInputs, tmp_path: Path, name: str
) -> None:
    torch.save(zoo.build(f"torchvision/{name}", 2).state_dict(), tmp_path / "m.pth")
    model = {"architecture": f"torchvision/{name}", "preprocessing": {"size": [64, 64]}}
    cohort = {"name": "c", "model": model, "runs": [{"uri": (tmp_path / "m.pth").as_uri()}]}
    job = audit(runner, ingredients.spec(cohorts=[cohort], measures=["entropy"], images={
        "uri": ingredients.images.as_uri(), "limit": 2,
    }))  # fmt: skip
    if name == "mnasnet0_5":
        assert job.state is JobState.SUCCEEDED, job.error
    else:
        error = failure(job)
        assert (error["type"], error["field"]) == ("model-refused", "cohorts[0].model.preprocessing")
        assert "Wrong image height" in error["detail"]
