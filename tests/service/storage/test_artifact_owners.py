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
def place(store: Store, tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(str(tmp_path / "artifacts"), store.artifact_owners)


def files(place: ArtifactStore) -> int:
    return sum(path.is_file() for path in Path(place.location).rglob("*"))


def test_uploads_go_when_they_are_old_and_those_that_are_used_stay(store: Store, place: ArtifactStore) -> None:
    for content in (b"old", b"sent again", b"named"):
        upload(place, content)
    assert place.expire(DAY) == 0
    time.sleep(0.1)
    upload(place, b"sent again")
    place.find(upload(place, b"named"))
    assert place.expire(0.1) == 1
    assert files(place) == 2
    time.sleep(0.1)
    assert place.expire(0.1) == 2
    assert files(place) == 0


def test_what_a_kept_job_or_a_policy_names_stays(store: Store, place: ArtifactStore, ingredients: AuditInputs) -> None:
    of_job, of_policy = upload(place, b"model"), upload(place, b"pictures")
    spec = ingredients.spec(cohorts=[{**ingredients.cohort("a", 0, 1), "runs": [{"uri": of_job}]}])
    job = store.jobs.accept(spec, spec_digest(spec), None)[0].id
    rule = {"measure": "entropy", "cohort": "a", "op": ">=", "value": 0.5}
    store.policies.put("p", Policy.model_validate({"gate": {"rules": [rule]}, "job": {"images": {"uri": of_policy}}}))
    assert place.expire(0) == 0
    store.jobs.cancel(job)
    store.jobs.delete(job)
    assert place.expire(0) == 1
    with pytest.raises(InputRefused, match="upload it"):
        place.find(of_job)
    store.policies.withdraw("p")
    place.find(of_policy)
    assert place.expire(0) == 1


def test_the_bytes_stay_as_long_as_a_tenant_has_them(store: Store, place: ArtifactStore) -> None:
    theirs = replace(place, owners=store.for_tenant("theirs").artifact_owners)
    uri = upload(place, b"shared")
    time.sleep(0.1)
    upload(theirs, b"shared")
    assert place.expire(0.1) == 0
    assert theirs.find(uri)
    with pytest.raises(InputRefused):
        place.find(uri)
    assert place.expire(0) == 1


def test_an_upload_that_was_broken_off_leaves_nothing_for_good(place: ArtifactStore) -> None:
    for name, age in (("upload-dead", 2 * DAY), ("upload-alive", 0)):
        folder = Path(place.location, name)
        folder.mkdir(parents=True)
        (folder / "content").write_bytes(b"half")
        for path in (folder / "content", folder):
            os.utime(path, (time.time() - age,) * 2)
    place.expire(DAY)
    assert [path.name for path in Path(place.location).iterdir()] == ["upload-alive"]
