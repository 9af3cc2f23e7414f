"""Pages of a job whose results an earlier release computed."""

import re

import httpx
import pytest

from service.domain.format import FORMAT
from service.domain.results_format import complete, format_notice
from service.storage import Store
from tests.support.api import submit, work_off
from tests.support.jobs import AuditInputs
from tests.support.old_results import results_of_format_3, store_job
from worker.runner import Runner

# SQLite only: pages read the stored document, which is text on both databases.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
NOTICE = "These results have format 3, from an earlier release"
BROWSER = {"Accept": "text/html"}


@pytest.fixture
def job(store: Store) -> str:
    return store_job(store, results_of_format_3())


def test_the_report_of_old_results_starts_with_a_notice_and_makes_no_claim_on_differences(
    api: httpx.Client, job: str
) -> None:
    answer = api.get(f"/v1/jobs/{job}/report")
    assert answer.status_code == 200, answer.text
    main = answer.text.partition("<main")[2]
    assert main.index(NOTICE) < main.index('id="soundness"')
    assert "without soundness checks" in main
    text = " ".join(re.sub("<[^>]+>", " ", main).split())
    assert "These results do not say whether the cohorts differ." in text
    assert not re.search("No measure distinguishes|not distinguish|looks better|there is no interval", text)
    assert text.count("not available") == 4  # a difference of each measure
    mean = results_of_format_3()["cohorts"]["human-guided"]["measures"]["noise"]["mean"]
    assert f"{mean:.3f}" in text


def test_the_page_of_a_job_with_old_results_has_the_notice_and_all_panels(api: httpx.Client, job: str) -> None:
    answer = api.get(f"/jobs/{job}", headers=BROWSER)
    assert answer.status_code == 200, answer.text
    assert NOTICE in answer.text
    panels = re.findall('<h3 id="of-([a-z]+)"', answer.text)
    assert sorted(panels) == ["degradation", "entropy", "noise", "stability"]


def test_the_api_answers_old_results_and_their_verdict_as_they_were_stored(api: httpx.Client, job: str) -> None:
    stored = {**results_of_format_3(), "job": job}
    assert api.get(f"/v1/jobs/{job}/results").json() == stored
    verdict = api.get(f"/v1/jobs/{job}/verdict").json()
    assert (verdict["outcome"], verdict["reason"]) == ("fail", stored["verdict"]["reason"])


def test_a_policy_does_not_judge_old_results_and_says_why(api: httpx.Client, job: str) -> None:
    rule = {"measure": "entropy", "cohort": "human-guided", "op": "<=", "value": 1.0}
    api.put("/v1/policies/p", json={"gate": {"rules": [rule]}})
    verdict = api.post("/v1/policies/p/check", json={"job": job}).json()
    assert verdict["outcome"] == "error"
    assert "no soundness checks; submit the job again" in verdict["reason"]


def test_old_results_are_compared_only_with_results_of_their_format(api: httpx.Client, store: Store, job: str) -> None:
    other = store_job(store, {**results_of_format_3(), "format": FORMAT})
    answer = api.get("/compare", params={"a": job, "b": other}, headers=BROWSER)
    assert answer.status_code == 409
    assert f"format 3 and format {FORMAT}" in answer.text
    same = store_job(store, results_of_format_3())
    assert api.get("/compare", params={"a": job, "b": same}, headers=BROWSER).status_code == 200


def test_current_results_have_all_fields_that_pages_read(
    api: httpx.Client, runner: Runner, ingredients: AuditInputs
) -> None:
    cohorts = [ingredients.cohort("a", 0), ingredients.cohort("b", 1)]
    job = submit(api, ingredients, measures=["entropy"], cohorts=cohorts, maps={"keep": 0})["id"]
    work_off(runner)
    found = api.get(f"/v1/jobs/{job}/results").json()
    assert (complete(found), format_notice(found)) == (found, None)
