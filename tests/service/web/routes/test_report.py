import base64
import hashlib
import re
from html.parser import HTMLParser

import httpx
import pytest

from tests.support.jobs import AuditInputs
from tests.support.soundness import ALL_OFF
from worker.runner import Runner

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
VOID = {"meta", "wbr", "link", "br", "img", "input", "hr"}


class Outline(HTMLParser):
    """The elements of an HTML page in order (`found`), and those that are not closed yet (`open`)."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def finished(
    api: httpx.Client, runner: Runner, ingredients: AuditInputs, images: bool = True, **changes: object
) -> str:
    """Run a job until it has ended, and with `images` until its images are stored as well. Returns the job's ID."""
    body = ingredients.body(**{"maps": {"keep": "all"}, **changes})
    job = str(api.post("/v1/jobs", json=body).json()["id"])
    while api.get(f"/v1/jobs/{job}").json()["state"] in ("queued", "running") or images:
        if not runner.work():
            break
    return job


def test_the_report_is_a_single_file_without_scripts_and_links_to_other_files(
    api: httpx.Client, runner: Runner, ingredients: AuditInputs
) -> None:
    cohorts = [ingredients.cohort("<b>old</b>", 0, 1), ingredients.cohort("new", 1, 2)]
    job = finished(api, runner, ingredients, name="<script>alert(1)</script>", cohorts=cohorts)
    answer = api.get(f"/v1/jobs/{job}/report")
    page, outline = answer.text, Outline(answer.text)
    assert outline.open == []
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert style
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in answer.headers["Content-Security-Policy"]
    assert "url(" not in style[1].replace("url(#", "")
    tags = {tag for tag, _ in outline.found}
    regions = [attributes["aria-label"] for _, attributes in outline.found if attributes.get("role") == "region"]
    assert len(regions) == len(set(regions)) > 5
    assert not tags & {"script", "link", "iframe", "object", "embed"}
    assert "&lt;script&gt;alert(1)" in page
    for tag, attributes in outline.found:
        assert "style" not in attributes, tag
        for name in ("href", "src"):
            assert (attributes.get(name) or "#").startswith(("#", "data:image/webp;base64,")), tag


@SQLITE
def test_each_image_to_review_comes_first_in_one_of_the_rankings(
    api: httpx.Client, runner: Runner, ingredients: AuditInputs
) -> None:
    job = finished(api, runner, ingredients)
    sample = api.get(f"/v1/jobs/{job}/results").json()["sample"]
    assert len(sample) == 12, "the sample contains all images"
    (first,) = (
        each["image"]
        for each in sample
        if dict(zip(each["why"], each["ranks"], strict=True)).get("runs agree least") == 1
    )
    worry = re.search(rf"<b>{first}</b>([^<]*)</span>", api.get(f"/v1/jobs/{job}/report").text.replace("<wbr>", ""))
    assert worry
    assert "runs agree least, " in worry[1]


@SQLITE
def test_the_report_has_all_sections_in_order_and_labels_for_screen_readers(
    api: httpx.Client, runner: Runner, ingredients: AuditInputs
) -> None:
    rules = [{"measure": "entropy", "cohort": "new", "op": "<=", "value": 0.99}]
    cohorts = [ingredients.cohort("old", 0, 1), ingredients.cohort("new", 1, 2)]
    job = finished(api, runner, ingredients, cohorts=cohorts, gate={"rules": rules, "soundness": ALL_OFF})
    page = api.get(f"/v1/jobs/{job}/report").text
    outline = Outline(page)
    ids = [attributes["id"] for _, attributes in outline.found if attributes.get("id")]
    order = [
        "soundness", "verdict", "measures", "entropy", "noise", "geometry", "stability", "degradation", "strata",
        "images", "means", "provenance", "skipped",
    ]  # fmt: skip
    assert [each for each in ids if each in order] == order
    assert len(ids) == len(set(ids))
    pointed = {
        str(attributes["href"])[1:] for _, attributes in outline.found if (attributes.get("href") or "").startswith("#")
    }
    assert pointed <= set(ids)
    drawn = [
        attributes for tag, attributes in outline.found if tag == "svg" and attributes.get("aria-hidden") != "true"
    ]
    assert all(attributes.get("aria-label") or attributes.get("width") for attributes in drawn)
    results = api.get(f"/v1/jobs/{job}/results").json()
    assert f"{results['cohorts']['new']['measures']['noise']['mean']:.3f}" in page
    assert page.count('<article class="image"') == len(results["sample"]) == 12
    assert results["provenance"]["images"]["sha256"] in page
    assert "No images were skipped." in page


@SQLITE
def test_a_report_without_images_says_whether_a_worker_still_computes_them(
    api: httpx.Client, runner: Runner, ingredients: AuditInputs
) -> None:
    waiting = finished(api, runner, ingredients, images=False, measures=["entropy"])
    assert "A worker is still computing 12 images" in api.get(f"/v1/jobs/{waiting}/report").text
    none = finished(api, runner, ingredients, measures=["entropy"], maps={"keep": 0})
    assert "This job stores no images." in api.get(f"/v1/jobs/{none}/report").text
    unfinished = api.post("/v1/jobs", json=ingredients.body()).json()["id"]
    assert api.get(f"/v1/jobs/{unfinished}/report").status_code == 409
    assert api.get("/v1/jobs/nowhere/report").status_code == 404
