from io import BytesIO
from pathlib import Path

import httpx
import numpy as np
import pytest
import torch
from PIL import Image

from service.domain.variants import sample_variants
from tests.support.jobs import SIZE, AuditInputs
from tests.support.models import TinyNet, explain_slowly
from tests.support.worker_thread import working
from worker.runner import Runner

MEASURES = ["noise", "geometry", "degradation"]
# On SQLite alone, since test_map_requests.py and test_report.py run the same queries on both databases.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def job(api: httpx.Client, runner: Runner, ingredients: AuditInputs) -> str:
    """Return the ID of a finished job with two cohorts and a sample of five images."""
    cohorts = [ingredients.cohort("a", 0, 1), ingredients.cohort("b", 1, 2)]
    posted = api.post("/v1/jobs", json=ingredients.body(cohorts=cohorts, measures=MEASURES, maps={"keep": 5})).json()
    while runner.work():
        pass
    return str(posted["id"])


def query(**parameters: str | int) -> dict[str, str | int]:
    """Return the query parameters that identify a map."""
    return parameters


def test_the_api_returns_stored_maps_of_the_sample_and_has_other_maps_made_on_request(
    api: httpx.Client, runner: Runner, job: str, ingredients: AuditInputs
) -> None:
    spec = ingredients.spec(measures=MEASURES)
    sample = {each["image"] for each in api.get(f"/v1/jobs/{job}/results").json()["sample"]}
    items = api.get(f"/v1/jobs/{job}/images").json()["items"]
    stored = next(each for each in items if each["image"] in sample)
    other = next(each for each in items if each["image"] not in sample)
    path = f"/v1/jobs/{job}/images/{stored['number']}"
    for variant in sample_variants(spec):
        request = query(cohort="b", run=1, variant=variant, wait=0)
        image = Image.open(BytesIO(api.get(f"{path}/map.png", params=request).content))
        assert (image.size, image.mode) == ((SIZE, SIZE), "RGB")
    missing = f"/v1/jobs/{job}/images/{other['number']}"
    assert api.get(f"{missing}/map.npy", params={"cohort": "a", "wait": 0}).status_code == 202
    with working(runner):
        for address, variant in ((missing, "clean"), (path, "noise:0.2"), (path, "rotate:20")):
            answer = api.get(f"{address}/map.png", params={"cohort": "a", "variant": variant, "wait": 60}, timeout=90)
            assert answer.headers["Content-Type"] == "image/png", answer.text
    assert api.get(f"{missing}/map.npy", params={"cohort": "a", "wait": 0}).status_code == 200


def test_a_stored_map_agrees_with_a_slow_grad_cam_of_its_run_and_variant(
    api: httpx.Client, job: str, ingredients: AuditInputs
) -> None:
    first = api.get(f"/v1/jobs/{job}/results").json()["sample"][0]["image"]
    items = api.get(f"/v1/jobs/{job}/images").json()["items"]
    number = next(each["number"] for each in items if each["image"] == first)
    opened = Image.open(ingredients.images / first).convert("RGB").resize((SIZE, SIZE), Image.Resampling.BILINEAR)
    values = torch.from_numpy(np.asarray(opened, np.float32) / 255).permute(2, 0, 1)
    mean, std = (torch.tensor(each).view(3, 1, 1) for each in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    for variant, shown in (("clean", values), ("hflip", values.flip(-1))):
        request = query(cohort="b", run=1, variant=variant, wait=0)
        found = np.load(BytesIO(api.get(f"/v1/jobs/{job}/images/{number}/map.npy", params=request).content))
        model = TinyNet(2)
        inputs = ((shown - mean) / std)[None]
        raw = explain_slowly(model, model.features, inputs, relu_follows=True)[1].numpy()
        assert np.allclose(found, (raw - raw.min()) / (raw.max() - raw.min()), atol=2e-3)


def test_invalid_parameters_of_a_map_are_refused_with_the_remedy(
    api: httpx.Client, job: str, ingredients: AuditInputs
) -> None:
    path = f"/v1/jobs/{job}/images/0/map.png"
    wrong = {
        "query.cohort": query(),
        "query.run": query(cohort="a", run=2),
        "query.variant": query(cohort="a", variant="shift:99,0"),
    }
    for field, request in wrong.items():
        answer = api.get(path, params=request)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)
    for variant, remedy in {
        "noise:2": "is from 0 to 1",
        "most:1": "is above 0 and below 1",
        "x": "write clean",
    }.items():
        assert remedy in api.get(path, params=query(cohort="a", variant=variant)).json()["detail"]
    assert api.get(f"/v1/jobs/{job}/images/12/map.png", params={"cohort": "a"}).status_code == 404
    unfinished = api.post("/v1/jobs", json=ingredients.body()).json()["id"]
    assert api.get(f"/v1/jobs/{unfinished}/images/0/map.png").status_code == 409


def test_a_variant_that_suits_the_requested_cohort_need_not_suit_other_cohorts(
    api: httpx.Client, runner: Runner, ingredients: AuditInputs
) -> None:
    wide = ingredients.cohort("wide", 0, preprocessing={"size": [SIZE, SIZE + 8]})
    body = ingredients.body(cohorts=[wide, ingredients.cohort("square", 1)], measures=["entropy"])
    job = api.post("/v1/jobs", json=body).json()["id"]
    while runner.work():
        pass
    path = f"/v1/jobs/{job}/images/0/map.png"
    assert "square input" in api.get(path, params={"cohort": "wide", "variant": "rot90"}).json()["detail"]
    with working(runner):
        request = query(cohort="square", variant="rot90", wait=60)
        assert api.get(path, params=request, timeout=90).headers["Content-Type"] == "image/png"


def test_a_map_of_an_image_that_has_changed_since_the_audit_is_refused(
    api: httpx.Client, runner: Runner, ingredients: AuditInputs, tmp_path: Path
) -> None:
    for number in range(2):
        Image.new("RGB", (30, 30), (90 * number, 40, 200)).save(tmp_path / f"{number}.png")
    body = ingredients.body(images={"uri": tmp_path.as_uri()}, measures=["entropy"], maps={"keep": 0})
    job = api.post("/v1/jobs", json=body).json()["id"]
    while runner.work():
        pass
    Image.new("RGB", (30, 30)).save(tmp_path / "0.png")
    with working(runner):
        answer = api.get(f"/v1/jobs/{job}/images/0/map.png", params={"wait": 60}, timeout=90)
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:salience:problem:map-refused")
    assert "has changed since the audit" in answer.json()["detail"]
