"""Fixtures of the browser tests: a service with the files of the demo, a browser, and pages that record errors."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.support import chromium
from tests.support.jobs import CLASSES, AuditInputs, write_image
from tests.support.processes import Installation

SCREENSHOTS = Path(__file__).parents[2] / ".screenshots"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PATIENCE = 60_000  # milliseconds; long, since pages load slowly on a busy machine


@dataclass
class Visitor:
    """A browser page that shows the service, and the errors in the console of the page."""

    page: Page
    url: str
    errors: list[str] = field(default_factory=list)

    def open(self, path: str) -> None:
        """Load a path of the service in the page."""
        self.page.goto(self.url + path)

    def keep(self, name: str) -> None:
        """Save a screenshot of the whole page in .screenshots."""
        SCREENSHOTS.mkdir(exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)

    def expect_status(self, status: str) -> None:
        """Remove the console errors about responses with this status, because the test expects such responses."""
        self.errors[:] = [each for each in self.errors if f"status of {status}" not in each]

    def check(self) -> None:
        """Fail if axe finds an accessibility violation on the page."""
        found = Axe().run(self.page)
        assert found.violations_count == 0, found.generate_report()


@dataclass(frozen=True)
class Site:
    """The URL of a running service, and a browser to open its pages."""

    url: str
    browser: Browser

    @contextmanager
    def visitor(self, width: int = 1280, **context: Any) -> Iterator[Visitor]:
        """Yield a page in a new browser context. Fails if the console has an error when the context manager exits."""
        opened = self.browser.new_context(viewport={"width": width, "height": 900}, reduced_motion="reduce", **context)
        opened.set_default_timeout(PATIENCE)
        visitor = Visitor(opened.new_page(), self.url)
        visitor.page.on("console", lambda message: _record(visitor, message))
        visitor.page.on("pageerror", lambda error: visitor.errors.append(str(error)))
        yield visitor
        opened.close()
        assert visitor.errors == []


def _record(visitor: Visitor, message: ConsoleMessage) -> None:
    if message.type in ("error", "warning"):
        visitor.errors.append(f"{message.text} ({message.location})")


@pytest.fixture(scope="package")  # closed after these tests, since Playwright's event loop disturbs other tests
def site(ingredients: AuditInputs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """An embedded service with the files that the example spec in the form names, and a browser."""
    folder = tmp_path_factory.mktemp("site")
    _lay_out(ingredients, folder / ".demo")
    installation = Installation.make(folder, allowed_roots=folder)
    path = chromium.find()
    assert path, chromium.MISSING
    with installation.serve(), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield Site(installation.url, browser)
        browser.close()


def _lay_out(ingredients: AuditInputs, demo: Path) -> None:
    """Create small versions of the files that `make demo` creates: two recipes with two models each, and images."""
    for recipe, models in {"cross-entropy": (0, 1), "human-guided": (1, 2)}.items():
        for number, model in enumerate(models, start=1):
            place = demo / "models" / recipe / f"{number}.pt"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.hardlink_to(ingredients.models[model])
    shutil.copytree(ingredients.images, demo / "pictures", copy_function=os.link)
    random = np.random.default_rng(1)
    for number in range(6, 9):  # more images, so that the test can watch the progress of the first job
        for name in CLASSES:
            write_image(demo / "pictures" / name / f"{number}.png", random)
