import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from tests.support.api import submit, work_off
from tests.support.jobs import AuditInputs
from tests.support.soundness import ALL_OFF
from worker.runner import Runner

# On SQLite alone, since the tests of storage run the same queries on both databases.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
AS_A_BROWSER = {"Accept": "text/html,application/xhtml+xml"}


def look(api: httpx.Client, path: str, status: int = 200, **params: Any) -> str:
    """Request a page, and check the status and the headers of the response. Returns the HTML."""
    answer = api.get(path, params=params or None, headers=AS_A_BROWSER)
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    return answer.text


def send(
    api: httpx.Client, path: str, headers: Mapping[str, str] = {}, **fields: str
) -> httpx.Response:  # the default is never changed
    """Submit a form with the headers of a browser."""
    form = {"Content-Type": "application/x-www-form-urlencoded", **AS_A_BROWSER, **headers}
    return api.post(path, content=urlencode(fields), headers=form)


def test_pages_contain_no_inline_scripts_or_styles_and_browsers_cache_their_files(
    api: httpx.Client, ingredients: AuditInputs
) -> None:
    job = submit(api, ingredients)["id"]
    for path in ("/", "/new", "/docs", f"/jobs/{job}"):
        text = look(api, path)
        assert not re.search(r'(src|href|action)="(\w+:|//)', text)
        assert not any(each in text for each in ("style=", "<style", "onclick", "javascript:", "<script>"))
    styles, scripts = ("tokens.css", "site.css", "pages.css", "swagger-ui.css"), ("api.js", "swagger-ui-bundle.js")
    for name in (*styles, "site.js", *scripts, "icon.svg"):
        answer = api.get(f"/static/{name}")
        assert "immutable" in answer.headers["Cache-Control"]
    assert api.get("/static/secrets.env").status_code == 404


def test_user_input_is_escaped(api: httpx.Client, ingredients: AuditInputs) -> None:
    hostile = "<script>alert(1)</script>"
    job = submit(api, ingredients, name=hostile, labels={hostile: '"><img src=x>'})["id"]
    for path in ("/", f"/jobs/{job}", f"/new?from={job}", f"/?{urlencode({'name': hostile})}"):
        text = look(api, path)
        assert "<script>alert" not in text
        assert "<img src=x" not in text


def test_the_job_list_is_filtered_by_state_name_and_labels_and_has_pages(
    api: httpx.Client, ingredients: AuditInputs
) -> None:
    wanted = submit(api, ingredients, name="n", labels={"k": "v"})["id"]
    others = [submit(api, ingredients)["id"] for _ in range(51)]
    found = look(api, "/", state="queued", name="n", label=["k:v", ""])
    assert wanted in found
    assert others[0] not in found
    first = look(api, "/", state="", name="")
    assert others[-1] in first
    assert wanted not in first
    (older,) = [line.split('href="')[1].split('"')[0] for line in first.splitlines() if 'rel="next"' in line]
    assert wanted in look(api, older.replace("&amp;", "&"))


def test_the_job_list_reports_invalid_filters_and_applies_the_valid_ones(
    api: httpx.Client, ingredients: AuditInputs
) -> None:
    job, other = (submit(api, ingredients, name=name)["id"] for name in ("n", "other"))
    invalid = {
        "state": ("succeed", "state=succeed: unknown state. Use one of queued, running, succeeded, failed"),
        "label": ("plain", "label=plain: write key:value"),
        "cursor": ("!", "The cursor is invalid"),
    }
    for field, (value, message) in invalid.items():
        text = look(api, "/", 422, name="n", **{field: value})
        assert 'role="alert"' in text
        assert message in text
        assert job in text
        assert other not in text
    text = look(api, "/", 422, **{field: value for field, (value, _) in invalid.items()})
    assert all(message in text for _, message in invalid.values())


def test_a_form_that_is_sent_twice_starts_one_job_and_a_changed_form_starts_another(
    api: httpx.Client, ingredients: AuditInputs
) -> None:
    body = ingredients.body()
    answers = [send(api, "/new", token="t", spec=json.dumps({**body, "seed": seed})) for seed in (0, 0, 1)]
    assert [each.status_code for each in answers] == [303] * 3
    places = [each.headers["Location"] for each in answers]
    assert places[0] == places[1] != places[2]
    assert "queued" in look(api, places[0])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{", "This is not JSON: Expecting property name enclosed in double quotes at line 1, column 2."),
        ('{"cohorts": []}', "<code>images</code>"),
        ("[]", "Input should be"),
        (None, "<code>images.uri</code>"),
    ],
)
def test_an_invalid_spec_is_shown_again_with_each_invalid_field(
    api: httpx.Client, ingredients: AuditInputs, text: str | None, expected: str
) -> None:
    spec = text or json.dumps(ingredients.body(images={"uri": "file:///nowhere"}))
    answer = send(api, "/new", token="t", spec=spec)
    assert answer.status_code == 422
    assert expected in answer.text


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://elsewhere.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}]
)
def test_a_form_from_another_site_is_rejected(
    api: httpx.Client, ingredients: AuditInputs, headers: Mapping[str, str]
) -> None:
    job = submit(api, ingredients)["id"]
    for path in ("/new", f"/jobs/{job}/cancel"):
        assert send(api, path, headers, spec=json.dumps(ingredients.body())).status_code == 403
    assert [each["state"] for each in api.get("/v1/jobs").json()["items"]] == ["queued"]


def test_a_job_can_be_cancelled_twice_from_its_page(api: httpx.Client, ingredients: AuditInputs) -> None:
    job = submit(api, ingredients)["id"]
    for _ in range(2):
        assert send(api, f"/jobs/{job}/cancel").headers["Location"] == f"/jobs/{job}"
    assert "cancelled" in look(api, f"/jobs/{job}")


def test_a_comparison_needs_exactly_two_jobs_that_have_succeeded(api: httpx.Client, ingredients: AuditInputs) -> None:
    a, b = (submit(api, ingredients)["id"] for _ in range(2))
    chosen = api.get("/compare", params={"job": [a, b]})
    assert (chosen.status_code, chosen.headers["Location"]) == (303, f"/compare?a={a}&b={b}")
    assert "Its results are available after it has succeeded" in look(api, "/compare", 409, a=a, b=b)
    for wrong, named in (({}, "none"), ({"job": [a]}, 1), ({"a": a}, 1), ({"a": a, "b": a}, "one twice")):
        text = look(api, "/compare", 422, **wrong)
        assert f"this request names {named}. Select two in the list of jobs" in text
    look(api, "/compare", 404, a="nobody", b=b)


def test_policies_are_shown_with_their_last_verdict(
    api: httpx.Client, ingredients: AuditInputs, runner: Runner
) -> None:
    rule = {"measure": "entropy", "op": "<=", "value": 1.1}
    for name in ("release", "unused"):
        api.put(f"/v1/policies/{name}", json={"gate": {"rules": [rule], "soundness": ALL_OFF}})
    small = {"measures": ["entropy"], "cohorts": [ingredients.cohort("c", 0)], "gate": {"policy": "release"}}
    job = submit(api, ingredients, **small)["id"]
    assert "No recent verdict." in look(api, "/")
    work_off(runner)
    text = look(api, "/")
    assert text.count("No recent verdict.") == 1
    assert 'class="pill pass"' in text
    shown = look(api, f"/jobs/{job}")
    assert "Policy <a" in shown
    assert 'class="rules"' not in shown, "the verdict has the reason of the only rule"


@pytest.mark.parametrize("path", ["/jobs/nobody", "/nowhere", "/new?from=nobody"])
def test_a_browser_gets_a_page_and_a_program_gets_a_problem_if_a_job_does_not_exist(
    api: httpx.Client, path: str
) -> None:
    assert "Back to jobs" in look(api, path, 404)
    assert api.get(path).headers["Content-Type"] == "application/problem+json"
    assert api.get(f"/v1{path}", headers=AS_A_BROWSER).headers["Content-Type"] == "application/problem+json"
