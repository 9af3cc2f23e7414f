import json
from pathlib import Path

import pytest

from service.artifacts.store import ArtifactStore
from service.integrations.mlflow.tags import tags_for_job
from service.jobs.service import Jobs
from service.jobs.validation.fields import InputLocator
from service.queue.notifier import WorkNotifier
from service.settings import ServiceSettings
from service.storage import Store
from tests.support.old_results import results_of_format_3, store_job


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_version_whose_results_have_no_soundness_checks_is_not_tagged_as_sound(store: Store, tmp_path: Path) -> None:
    document = json.loads(json.dumps(results_of_format_3()).replace('"human-guided"', '"candidate"'))
    inputs = InputLocator((Path("/"),), ArtifactStore(str(tmp_path)))
    jobs = Jobs(store.for_tenant(""), WorkNotifier("memory://"), inputs, ServiceSettings().job_limits)
    tags = tags_for_job(jobs, store_job(store, document), "https://audits.example")
    assert (tags["salience.soundness"], tags["salience.verdict"]) == ("not checked", "fail")
