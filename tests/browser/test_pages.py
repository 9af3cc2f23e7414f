"""Tests of the pages in a browser, from the form to the comparison. Screenshots are saved in .screenshots."""

import json

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PATIENCE, SCREENSHOTS, Site, Visitor

expect.set_options(timeout=PATIENCE)
SHOWS_PROGRESS = """() => {
  const bar = document.querySelector("#job progress");
  return bar && bar.value > 0 && bar.value < bar.max;
}"""
SMALLEST_LETTERS = """() => Math.min(...[...document.querySelectorAll("svg text")].flatMap(text => {
  const scale = text.checkVisibility() ? text.ownerSVGElement.getScreenCTM().a : 0;
  return scale ? [scale * parseFloat(getComputedStyle(text).fontSize)] : [];
}))"""
# In pixels: the width of a printed page without its margins, and the height of letters of seven points.
A4, SEVEN_POINTS = 695, 9.3
OVERFLOWS = "document.documentElement.scrollWidth > window.innerWidth"
SPILLS = """[...document.querySelectorAll(".card > table")].some(
  (each) => each.getBoundingClientRect().right > each.parentElement.getBoundingClientRect().right
)"""


@pytest.fixture(scope="module")
def finished(site: Site) -> list[str]:
    """Submit two jobs with the same image set through the form, and wait until both end. Returns their IDs."""
    with site.visitor() as visitor:
        page = visitor.page
        visitor.open("/")
        expect(page.get_by_role("heading", name="No audits yet")).to_be_visible()
        visitor.keep("empty")
        page.get_by_role("link", name="New audit").first.click()
        visitor.keep("new")
        visitor.check()
        page.get_by_role("button", name="Start audit").click()
        first = watch(visitor)
        page.get_by_role("link", name="Edit and resubmit").click()
        field = page.get_by_label("Spec, as JSON")
        spec = json.loads(field.input_value())
        field.fill(json.dumps({**spec, "name": "guided alone", "seed": 1, "cohorts": spec["cohorts"][1:]}))
        page.get_by_role("button", name="Start audit").click()
        expect(page.get_by_role("heading", name="Measures")).to_be_visible()
        return [first, page.url.rpartition("/")[2]]


def watch(visitor: Visitor) -> str:
    """Watch the page of a job until the job ends. The page must not reload. Returns the job's ID."""
    page = visitor.page
    page.wait_for_url("**/jobs/*")
    page.evaluate("window.loadedOnce = true")
    page.wait_for_function(SHOWS_PROGRESS)
    visitor.keep("running")
    expect(page.get_by_role("heading", name="Measures")).to_be_visible()
    expect(page.get_by_role("status")).to_contain_text("has succeeded")
    assert page.evaluate("window.loadedOnce")
    return page.url.rpartition("/")[2]


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 360)])
def test_pages_are_accessible_and_fit_phones_and_desktops_in_light_and_dark_mode(
    site: Site, finished: list[str], scheme: str, width: int
) -> None:
    first, second = finished
    paths = {"jobs": "/?label=team:demo", "job": f"/jobs/{first}", "compare": f"/compare?a={first}&b={second}"}
    with site.visitor(width, color_scheme=scheme) as visitor:
        for name, path in paths.items():
            visitor.open(path)
            visitor.keep(f"{name}-{scheme}-{width}")
            visitor.check()
            assert not visitor.page.evaluate(OVERFLOWS), name
            assert not visitor.page.evaluate(SPILLS), name


def test_two_jobs_can_be_selected_and_compared_by_keyboard(site: Site, finished: list[str]) -> None:
    with site.visitor() as visitor:
        page = visitor.page
        visitor.open("/?state=succeeded")
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
        compare = page.get_by_role("button", name="compare")
        expect(compare).to_be_disabled()
        for box in page.get_by_role("checkbox").all():
            box.focus()
            page.keyboard.press("Space")
        visitor.keep("chosen")
        page.get_by_role("button", name="Compare selected").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Summary")).to_be_visible()
        assert set(finished) <= set(page.url.replace("=", "&").split("&"))


def test_jobs_can_be_filtered_and_compared_without_javascript(site: Site, finished: list[str]) -> None:
    with site.visitor(java_script_enabled=False) as visitor:
        page = visitor.page
        visitor.open("/")
        page.get_by_role("link", name="Succeeded").click()
        page.get_by_role("textbox", name="Name").fill("guided alone")
        page.get_by_role("button", name="Filter").click()
        expect(page.get_by_role("listitem").filter(has=page.get_by_role("heading"))).to_have_count(1)
        page.get_by_role("link", name="name guided alone").click()
        for box in page.get_by_role("checkbox").all():
            box.check()
        page.get_by_role("button", name="Compare").click()
        expect(page.get_by_text("Both jobs audited the same 18 images.")).to_be_visible()


def test_the_form_shows_an_invalid_spec_again_with_its_errors(site: Site, finished: list[str]) -> None:
    with site.visitor() as visitor:
        page = visitor.page
        visitor.open(f"/new?from={finished[1]}")
        field = page.get_by_label("Spec, as JSON")
        wrong = {**json.loads(field.input_value()), "measures": ["beauty"], "seed": -1}
        field.fill(json.dumps(wrong))
        page.get_by_role("button", name="Start audit").click()
        alert = page.get_by_role("alert")
        for name in ("measures[0]", "seed"):
            expect(alert).to_contain_text(name)
        assert json.loads(field.input_value()) == wrong
        visitor.keep("wrong")
        visitor.check()
        visitor.expect_status("422")


def test_the_job_list_shows_a_new_job_and_then_its_failure(site: Site, finished: list[str]) -> None:
    with site.visitor() as visitor:
        page = visitor.page
        visitor.open("/")
        expect(page.get_by_role("checkbox")).to_have_count(2)
        spec = httpx.get(f"{site.url}/v1/jobs/{finished[1]}").json()["spec"]
        spec["cohorts"][0]["model"]["layer"] = "nowhere"
        job = httpx.post(f"{site.url}/v1/jobs", json={**spec, "name": "<b>odd</b>"}).json()["id"]
        page.get_by_role("link", name="Show 1 new job").click()
        row = page.locator(f"[data-job='{job}']")
        expect(row).to_contain_text("no feature layer")
        expect(row).to_contain_text("<b>odd</b>")
        row.get_by_role("link", name="odd").click()
        expect(page.get_by_role("heading", name="Model refused")).to_be_visible()
        visitor.keep("failed")
        visitor.check()


def test_the_api_documentation_works_without_the_internet(site: Site) -> None:
    with site.visitor() as visitor:
        visitor.page.route(lambda url: not url.startswith(site.url), lambda route: route.abort())
        visitor.open("/docs")
        submitting = visitor.page.get_by_role("button", name="POST /v1/jobs Submit")
        expect(submitting).to_be_visible()
        submitting.click()
        expect(visitor.page.get_by_text("Submit an audit.")).to_be_visible()


def test_the_report_shows_its_images_on_screen_and_in_print(site: Site, finished: list[str]) -> None:
    with site.visitor() as visitor:
        page = visitor.page
        visitor.open(f"/jobs/{finished[0]}")
        page.get_by_role("link", name="View report").click()
        expect(page.get_by_role("heading", name="The measures")).to_be_visible()
        visitor.keep("report-light-1280")
        image = page.get_by_role("article").first
        expect(image.locator(".sheets")).to_be_hidden()
        page.emulate_media(media="print")
        expect(image.locator(".sheets")).to_be_visible()  # a reader of the print cannot expand it with a click
        page.set_viewport_size({"width": A4, "height": 1000})
        visitor.keep("report-print")
        assert page.evaluate(SMALLEST_LETTERS) > SEVEN_POINTS
        assert len(page.pdf()) < 3_000_000
        page.set_viewport_size({"width": 1280, "height": 900})
        page.emulate_media(media="screen")
        image.locator("summary").click()
        expect(image.locator(".sheets").get_by_role("img").first).to_be_visible()
        image.screenshot(path=SCREENSHOTS / "picture.png")
        visitor.check()
        page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
        visitor.check()


def test_the_report_fits_a_phone_in_dark_mode(site: Site, finished: list[str]) -> None:
    with site.visitor(360, color_scheme="dark") as visitor:
        visitor.open(f"/v1/jobs/{finished[0]}/report")
        visitor.keep("report-dark-360")
        visitor.page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
        assert visitor.page.evaluate(SMALLEST_LETTERS) > 9
        assert not visitor.page.evaluate(OVERFLOWS)
