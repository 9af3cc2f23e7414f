"""The worker checks again that a job or an inspection names only artifacts and jobs of its own tenant."""

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import delete

from service.artifacts.store import ArtifactStore
from service.domain.inspection import Inspect
from service.domain.job import Job
from service.errors import InputRefused
from service.spec.model import JobSpec, spec_digest
from service.storage.tables.auth import ArtifactOwnerRow
from tests.support.audits import failure, results
from tests.support.image_sets import images_of, upload
from tests.support.jobs import AuditInputs
from worker.runner import Runner

ABSENT = f"artifact:sha256:{'0' * 64}"
OURS, THEIRS = "ours", "theirs"
NAMED: Mapping[str, str] = {
    "model": "cohorts[0].runs[1].uri",
    "images": "images.uri",
    "out_of_set": "out_of_set.uri",
    "image of a manifest": "images.uri",
    "human map of a manifest": "images.uri",
}


def uploads(runner: Runner, tenant: str) -> ArtifactStore:
    return replace(runner.context.inputs.artifacts, owners=runner.store.for_tenant(tenant).artifact_owners)


def manifest(*rows: str) -> bytes:
    return "\n".join(["image,human_map", *rows]).encode()


def named(runner: Runner, ingredients: AuditInputs, what: str, uri: str) -> JobSpec:
    """Return a spec of the tenant THEIRS that names `uri` as the input `what`."""
    spec = ingredients.body(measures=["entropy"])
    first, second, *_ = (each.as_uri() for each in ingredients.images.rglob("*.png"))
    if what == "model":
        spec["cohorts"][0]["runs"][1]["uri"] = uri
    elif what.endswith("manifest"):
        row = f"{uri}," if what.startswith("image") else f"{second},{uri}"
        spec["images"]["uri"] = upload(uploads(runner, THEIRS), manifest(f"{first},", row))
    else:
        spec[what] = {"uri": uri}
    return JobSpec.model_validate(spec)


def audited(runner: Runner, spec: JobSpec, tenant: str) -> Job:
    """Run a job that the API did not check. Returns it once it has ended."""
    job = runner.store.for_tenant(tenant).jobs.accept(spec, spec_digest(spec), None)[0].id
    while runner.work():
        pass
    return runner.store.jobs.get(job)


def packed(ingredients: AuditInputs) -> bytes:
    """Return the content of a zip file with the images."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, _, data in images_of(ingredients.images):
            archive.writestr(name, data)
    return content.getvalue()


def material(ingredients: AuditInputs, what: str) -> bytes:
    if what == "model":
        return ingredients.models[0].read_bytes()
    return b"an image" if what.endswith("manifest") else packed(ingredients)


@pytest.mark.parametrize("what", NAMED)
def test_a_job_with_another_tenants_artifact_fails_as_if_the_artifact_did_not_exist(
    runner: Runner, ingredients: AuditInputs, what: str
) -> None:
    uri = upload(uploads(runner, OURS), material(ingredients, what))
    message: list[dict[str, Any]] = []
    for each in (uri, ABSENT):
        job = audited(runner, named(runner, ingredients, what, each), THEIRS)
        message.append(failure(job))
        assert (job.plan, job.passes_done) == (None, 0)
    assert message[0]["field"] == NAMED[what]
    assert "upload it with PUT /v1/artifacts" in message[0]["detail"]
    assert json.dumps(message[0]).replace(uri, ABSENT) == json.dumps(message[1])


def test_a_job_with_the_tenants_own_artifacts_succeeds(runner: Runner, ingredients: AuditInputs) -> None:
    place = uploads(runner, THEIRS)
    cohort = {**ingredients.cohort("plain", 0, 1), "runs": [{"uri": upload(place, ingredients.models[0].read_bytes())}]}
    images = {"uri": upload(place, packed(ingredients))}
    spec = ingredients.spec(cohorts=[cohort], images=images, measures=["entropy"])
    found = results(runner.store, audited(runner, spec, THEIRS))
    assert found["cohorts"]["plain"]["measures"]["entropy"]["n"] == 12


def test_a_baseline_of_another_tenant_is_reported_as_if_the_job_did_not_exist(
    runner: Runner, ingredients: AuditInputs
) -> None:
    plain = ingredients.spec(measures=["entropy"])
    ours = audited(runner, plain, OURS).id
    message = []
    for each in (ours, "0" * 36):
        baseline = {"job": each, "cohort": "plain"}
        job = audited(runner, ingredients.spec(measures=["entropy"], baseline=baseline), THEIRS)
        message.append(results(runner.store, job)["baseline"]["differs"])
    assert message == [[f"There is no job {ours}"], [f"There is no job {'0' * 36}"]]


def test_an_inspection_of_another_tenants_artifact_fails_as_if_it_did_not_exist(
    runner: Runner, ingredients: AuditInputs
) -> None:
    uri = upload(uploads(runner, OURS), packed(ingredients))
    message = []
    for each in (uri, ABSENT):
        request = runner.store.for_tenant(THEIRS).inspections.create(Inspect.model_validate({"images": {"uri": each}}))
        assert runner.work()
        message.append(runner.store.inspections.get(request).error)
    assert message[0] is not None and message[0]["field"] == "images.uri"
    assert json.dumps(message[0]).replace(uri, ABSENT) == json.dumps(message[1])


def test_each_shard_asks_again_whether_the_tenant_owns_an_artifact(runner: Runner, ingredients: AuditInputs) -> None:
    owned = uploads(runner, THEIRS)
    upload(uploads(runner, OURS), packed(ingredients))  # another tenant keeps the file
    uri = upload(owned, packed(ingredients))
    assert owned.owners is not None
    shards = [runner.context.inputs.for_job("job", owned.owners) for _ in range(2)]
    assert shards[0].archive(uri) == shards[0].archive(uri)
    with runner.store.database.write() as session:
        session.execute(delete(ArtifactOwnerRow).where(ArtifactOwnerRow.tenant == THEIRS))
    with pytest.raises(InputRefused, match="upload it with PUT"):
        shards[1].archive(uri)
