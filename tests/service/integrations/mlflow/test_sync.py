"""Tests of the synchronisation with a real MLflow server. They use SQLite; test_registry.py tests both databases."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from service.artifacts.store import ArtifactStore
from service.domain.policy import Policy
from service.integrations.mlflow.client import MlflowClient
from service.integrations.mlflow.sync import RegistrySync
from service.jobs.service import Jobs
from service.jobs.validation.fields import InputLocator
from service.main import create_app
from service.queue.notifier import WorkNotifier
from service.settings import ServiceSettings
from service.storage import JobQuery, Store
from service.storage.tables.registry import VersionRow
from tests.support.jobs import SIZE, AuditInputs
from tests.support.mlflow_server import SECRET, MlflowApi
from tests.support.servers import serving
from tests.support.soundness import ALL_OFF
from tests.support.webhook_receiver import await_true
from worker.runner import Runner

PUBLIC = "https://audits.example"
PASSING_RULE = {"measure": "entropy", "cohort": "candidate", "op": ">=", "value": 0}


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.fixture
def mlflow(mlflow_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[MlflowApi]:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_url)
    with httpx.Client(base_url=f"{mlflow_url}/api/2.0", timeout=60) as api:
        yield MlflowApi(api)


@pytest.fixture
def jobs(store: Store, redis_url: str, tmp_path: Path) -> Iterator[Jobs]:
    notifier = WorkNotifier(redis_url)
    yield Jobs(
        store.for_tenant(""),
        notifier,
        InputLocator((Path("/"),), ArtifactStore(str(tmp_path))),
        ServiceSettings().job_limits,
    )
    notifier.close()


@dataclass(frozen=True)
class Scene:
    """An MLflow server, a client of its REST API, the jobs of the service, and a worker."""

    url: str
    mlflow: MlflowApi
    jobs: Jobs
    runner: Runner
    ingredients: AuditInputs

    @contextmanager
    def running_sync(self, url: str = "", round_seconds: float = 3600) -> Iterator[RegistrySync]:
        """Yield a synchronisation with the MLflow server, or with a server at another URL."""
        with MlflowClient.connect(url or self.url) as registry:
            yield RegistrySync(self.jobs, registry, PUBLIC, round_seconds, pause=1)

    def put(self, models: str, *rules: dict[str, Any]) -> None:
        """Store a policy for the models whose names match the pattern `models`."""
        self.jobs.store.policies.put("p", Policy.model_validate(make_policy(self.ingredients, models, *rules)))

    def register(self, name: str, model: int = 0, **tags: str) -> str:
        """Register a model file as the next version of a model. Returns the version number."""
        named = {key.replace("_", "."): value for key, value in tags.items()}
        return self.mlflow.register(name, self.ingredients.models[model], named)

    def runs(self) -> list[dict[str, list[str]]]:
        """Return the URIs of the models of each cohort, for each job, oldest job first."""
        found = self.jobs.store.jobs.find(JobQuery()).jobs
        return [{c.name: [run.uri for run in c.runs] for c in job.spec.cohorts} for job in reversed(found)]

    def work(self) -> None:
        """Process all waiting shards."""
        while self.runner.work():
            pass


@pytest.fixture
def scene(mlflow_url: str, mlflow: MlflowApi, jobs: Jobs, runner: Runner, ingredients: AuditInputs) -> Scene:
    return Scene(mlflow_url, mlflow, jobs, runner, ingredients)


def make_policy(ingredients: AuditInputs, models: str, *rules: dict[str, Any]) -> dict[str, Any]:
    return {
        "gate": {"rules": list(rules) or [PASSING_RULE], "soundness": ALL_OFF},
        "job": {
            "images": {"uri": ingredients.images.as_uri()},
            "measures": ["entropy"],
            "model": {"preprocessing": {"size": [SIZE, SIZE]}},
        },
        "registry": {"models": models, "baseline_alias": "champion", "alias_on_pass": "champion"},
    }


def test_a_registered_version_is_audited_and_receives_its_verdict(
    scene: Scene, database_url: str, redis_url: str, tmp_path: Path
) -> None:
    settings = ServiceSettings(
        data_dir=tmp_path, database_url=database_url, broker_url=redis_url, allowed_roots=(Path("/"),),
        mlflow_secret=SECRET, sweep_seconds=0.2, public_url=PUBLIC,
    )  # fmt: skip
    mlflow = scene.mlflow
    with serving(create_app(settings)) as url, httpx.Client(base_url=url) as api:
        assert api.put("/v1/policies/p", json=make_policy(scene.ingredients, "new")).is_success
        created = {"entity": "MODEL_VERSION", "action": "CREATED"}
        hook = {"name": "audits", "url": f"{url}/v1/hooks/mlflow", "secret": SECRET, "events": [created]}
        webhook = mlflow.post("webhooks", **hook)["webhook"]["webhook_id"]
        version = scene.register("new")
        await_true(scene.runs)
        scene.work()
        await_true(lambda: mlflow.aliases("new").get("champion") == version)
        mlflow.api.delete(f"mlflow/webhooks/{webhook}").raise_for_status()
        (job,) = api.get("/v1/jobs").json()["items"]
        results = api.get(job["links"]["results"]).json()
    tags = mlflow.tags("new", version)
    assert (tags["salience.verdict"], tags["salience.job"]) == ("pass", job["id"])
    assert tags["salience.report"] == f"{PUBLIC}/v1/jobs/{job['id']}/report"
    mean = results["cohorts"]["candidate"]["measures"]["entropy"]["mean"]
    assert float(tags["salience.entropy"]) == pytest.approx(mean, rel=1e-5)
    assert "entropy of candidate" in tags["salience.reason"]
    # The tag lists the checks that the policy switches off because the model is untrained.
    assert "accuracy" in tags["salience.soundness"]


def test_the_versions_of_a_cohort_are_audited_in_one_job_with_the_champion_as_baseline(scene: Scene) -> None:
    scene.put("team-*")
    mlflow, old = scene.mlflow, ["models:/team-a/1", "models:/team-a/2"]
    for model in (0, 1):
        scene.register("team-a", model, salience_cohort="old")
    with scene.running_sync(round_seconds=0.01) as sync:
        sync.step()
        assert scene.runs() == [{"candidate": old}]
        scene.work()
        sync.step()
        assert mlflow.tags("team-a", "1")["salience.job"] == mlflow.tags("team-a", "2")["salience.job"]
        assert mlflow.aliases("team-a") == {"champion": "2"}, "an alias never moves to an earlier version"
        scene.register("team-a", 2, salience_cohort="new")
        sync.step()
        assert scene.runs()[1:] == [{"candidate": ["models:/team-a/3"], "champion": old}]
        scene.jobs.cancel(scene.jobs.store.jobs.find(JobQuery()).jobs[0].id)
        sync.step()
        assert mlflow.tags("team-a", "3")["salience.verdict"] == "error", "a job without results does not pass"
        assert mlflow.aliases("team-a") == {"champion": "2"}
        tag = {"name": "team-a", "version": "3", "key": "salience.verdict"}
        mlflow.api.request("DELETE", "mlflow/model-versions/delete-tag", json=tag).raise_for_status()
        sync.step()
    assert scene.runs()[1] == scene.runs()[2], "a version whose verdict tag was deleted is audited again"


def test_no_version_is_lost_while_the_registry_is_unavailable(scene: Scene) -> None:
    scene.put("late")
    version, store = scene.register("late"), scene.jobs.store
    store.registry.record_delivery("d", 300, ("late", version))

    def restart(url: str = "") -> None:
        """Run a step as a restarted process would, without a wait for the next attempt."""
        with store.database.write() as session:
            session.execute(update(VersionRow).values(next_at=0.0))
        with scene.running_sync(url) as sync:
            sync.step()

    restart("http://127.0.0.1:1")
    assert scene.runs() == []
    restart()
    scene.work()
    restart("http://127.0.0.1:1")
    assert "salience.verdict" not in scene.mlflow.tags("late", version)
    restart()
    tags = scene.mlflow.tags("late", version)
    assert tags["salience.verdict"] == "pass", tags
    assert len(scene.runs()) == 1


def test_a_version_that_its_policy_cannot_judge_gets_the_verdict_error_with_a_reason(scene: Scene) -> None:
    scene.put("first", {"measure": "entropy", "cohort": "candidate", "versus": "champion", "op": "<=", "margin": 0.1})
    version = scene.register("first")
    with scene.running_sync() as sync:
        sync.step()
    tags = scene.mlflow.tags("first", version)
    assert tags["salience.verdict"] == "error"
    assert "champion" in tags["salience.reason"]
    assert scene.runs() == [] and scene.mlflow.aliases("first") == {}


def test_a_model_with_special_characters_in_its_name_is_found(scene: Scene) -> None:
    name = """it's the "best"; 100% \\ -- a_b\\"""
    scene.put(name.replace("best", "b?s*"))
    version = scene.register(name, salience_cohort="odd")
    scene.register(name.replace("'", "_"))
    with scene.running_sync(round_seconds=0.01) as sync:
        sync.step()
        assert scene.runs() == [{"candidate": [f"models:/{name}/{version}"]}]
        scene.work()
        sync.step()
    assert scene.mlflow.tags(name, version)["salience.verdict"] == "pass"


def test_a_version_without_a_policy_or_unknown_to_mlflow_is_ignored(scene: Scene) -> None:
    scene.put("mine")
    version, registry = scene.register("others"), scene.jobs.store.registry
    for noticed in (("others", version), ("mine", "99")):
        registry.notice(*noticed)
    with scene.running_sync() as sync:
        sync.step()
    assert registry.notice("others", version) and registry.notice("mine", "99"), (
        "both versions were deleted from the queue"
    )
    assert scene.runs() == [] and scene.mlflow.tags("others", version) == {}
