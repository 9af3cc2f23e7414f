import hashlib
from pathlib import Path

import httpx
import pytest

from salience import Client, JobState, Outcome
from salience.errors import FieldProblem, InvalidRequest, RequestConflict, ResourceNotFound, ServiceUnreachable
from tests.support.jobs import AuditInputs
from tests.support.soundness import ALL_OFF
from worker.runner import Runner


def test_the_client_submits_a_job_waits_for_its_end_and_reads_its_results(
    api: httpx.Client, ingredients: AuditInputs, runner: Runner
) -> None:
    with Client(str(api.base_url)) as client:
        gate = {"rules": [{"measure": "entropy", "op": ">=", "value": 0}], "soundness": ALL_OFF}
        spec = ingredients.body(name="first", measures=["entropy", "noise"], gate=gate)
        job = client.submit(spec, key="k").id
        assert client.submit(spec, key="k").id == job
        states = client.follow(job)
        assert next(states).state is JobState.QUEUED
        with pytest.raises(RequestConflict) as caught:
            client.results(job)
        assert caught.value.type == "urn:salience:problem:job-not-finished"
        while runner.work():
            pass
        ended = list(states)[-1]
        assert (ended.state, ended.name, ended.images_done, ended.error) == (JobState.SUCCEEDED, "first", 12, None)
        assert client.wait(job) == ended
        verdict = client.verdict(job)
        assert ended.verdict == verdict
        assert (verdict.outcome, len(verdict.rules)) == (Outcome.PASS, 1)
        results = client.results(job)
        assert results.job == job
        performance, raw = results.performance["plain"], results.raw["cohorts"]["plain"]["performance"]
        assert (performance["auroc"].mean, list(performance["auroc"].ci95 or ())) == (raw["auroc"], raw["auroc_ci95"])
        assert performance["auroc"].n == 12 and "apcer_at_bpcer_1" not in performance
        frame = results.frame()
        noise = frame[(frame.cohort == "plain") & (frame.measure == "noise")].set_index("part")
        assert noise.loc["", "mean"] == results.raw["cohorts"]["plain"]["measures"]["noise"]["mean"]
        assert set(noise.index) == {"", "0.1", "0.5"}
        statistic, shown = results.cohorts["plain"]["noise"], results.raw["cohorts"]["plain"]["measures"]["noise"]
        assert (statistic.chance, statistic.corrected) == (shown["chance"], shown["corrected"])
        assert list(statistic.corrected_ci95 or ()) == shown["corrected_ci95"]
        row = noise.loc[""]
        assert (row.chance, row.corrected) == (shown["chance"], shown["corrected"])
        assert [row.chance_low, row.chance_high, row.corrected_low, row.corrected_high] == [
            *shown["chance_ci95"], *shown["corrected_ci95"]
        ]  # fmt: skip
        assert results.cohorts["plain"]["entropy"].chance is None
        assert (noise.low <= noise["mean"]).all()


def test_an_error_response_raises_its_exception_with_the_message_of_the_service(api: httpx.Client) -> None:
    with Client(str(api.base_url)) as client:
        with pytest.raises(InvalidRequest, match="images") as invalid:
            client.submit({"cohorts": []})
        assert FieldProblem("images", "Field required") in invalid.value.problems()
        with pytest.raises(ResourceNotFound, match="no job nobody") as missing:
            client.job("nobody")
        assert (missing.value.status, missing.value.type) == (404, "urn:salience:problem:job-not-found")


def test_the_client_cancels_and_deletes_a_job(api: httpx.Client, ingredients: AuditInputs) -> None:
    with Client(str(api.base_url)) as client:
        job = client.submit(ingredients.body()).id
        assert client.cancel(job).state is JobState.CANCELLED
        client.delete(job)
        with pytest.raises(ResourceNotFound):
            client.job(job)


def test_a_repeated_upload_returns_the_same_artifact(api: httpx.Client, tmp_path: Path) -> None:
    file = tmp_path / "model.pt"
    file.write_bytes(b"weights" * 400_000)
    with Client(str(api.base_url)) as client:
        uploaded = client.upload(file)
        assert uploaded.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
        assert (uploaded.uri, uploaded.size) == (f"artifact:sha256:{uploaded.sha256}", 2_800_000)
        assert client.upload(file) == uploaded


def test_the_client_does_not_retry_a_service_that_has_never_answered() -> None:
    with (
        Client("http://127.0.0.1:1", retry_seconds=60) as client,
        pytest.raises(ServiceUnreachable, match="salience serve"),
    ):
        client.ping()
