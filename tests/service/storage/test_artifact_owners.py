import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from service.artifacts.store import ArtifactStore
from service.domain.policy import Policy
from service.errors import InputRefused
from service.spec.model import spec_digest
from service.storage import Store
from tests.support.image_sets import upload
from tests.support.jobs import AuditInputs

DAY = 86400.0


@pytest.fixture
def artifacts(store: Store, tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(str(tmp_path / "artifacts"), store.artifact_owners)


def count_files(artifacts: ArtifactStore) -> int:
    return sum(path.is_file() for path in Path(artifacts.location).rglob("*"))


def test_old_uploads_are_deleted_unless_they_are_in_use(store: Store, artifacts: ArtifactStore) -> None:
    for content in (b"old", b"sent again", b"named"):
        upload(artifacts, content)
    assert artifacts.expire(DAY) == 0
    time.sleep(0.1)
    upload(artifacts, b"sent again")
    artifacts.find(upload(artifacts, b"named"))
    assert artifacts.expire(0.1) == 1
    assert count_files(artifacts) == 2
    time.sleep(0.1)
    assert artifacts.expire(0.1) == 2
    assert count_files(artifacts) == 0


def test_an_artifact_that_a_job_or_a_policy_names_is_not_deleted(
    store: Store, artifacts: ArtifactStore, ingredients: AuditInputs
) -> None:
    of_job, of_policy = upload(artifacts, b"model"), upload(artifacts, b"pictures")
    spec = ingredients.spec(cohorts=[{**ingredients.cohort("a", 0, 1), "runs": [{"uri": of_job}]}])
    job = store.jobs.accept(spec, spec_digest(spec), None)[0].id
    rule = {"measure": "entropy", "cohort": "a", "op": ">=", "value": 0.5}
    store.policies.put("p", Policy.model_validate({"gate": {"rules": [rule]}, "job": {"images": {"uri": of_policy}}}))
    assert artifacts.expire(0) == 0
    store.jobs.cancel(job)
    store.jobs.delete(job)
    assert artifacts.expire(0) == 1
    with pytest.raises(InputRefused, match="upload it"):
        artifacts.find(of_job)
    store.policies.withdraw("p")
    artifacts.find(of_policy)
    assert artifacts.expire(0) == 1


def test_the_file_of_an_artifact_stays_until_its_last_owner_is_deleted(store: Store, artifacts: ArtifactStore) -> None:
    theirs = replace(artifacts, owners=store.for_tenant("theirs").artifact_owners)
    uri = upload(artifacts, b"shared")
    time.sleep(0.1)
    upload(theirs, b"shared")
    assert artifacts.expire(0.1) == 0
    assert theirs.find(uri)
    with pytest.raises(InputRefused):
        artifacts.find(uri)
    assert artifacts.expire(0) == 1


def test_the_files_of_an_interrupted_upload_are_deleted(artifacts: ArtifactStore) -> None:
    for name, age in (("upload-dead", 2 * DAY), ("upload-alive", 0)):
        folder = Path(artifacts.location, name)
        folder.mkdir(parents=True)
        (folder / "content").write_bytes(b"half")
        for path in (folder / "content", folder):
            os.utime(path, (time.time() - age,) * 2)
    artifacts.expire(DAY)
    assert [path.name for path in Path(artifacts.location).iterdir()] == ["upload-alive"]
