"""One service with the demo's layout of models and pictures, one browser, and a visitor who notices what is wrong."""

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
PATIENCE = 60_000  # milliseconds; a busy machine is slow


@dataclass
class Visitor:
    """A page of the browser, what went wrong on it, and where its pictures go."""

    page: Page
    url: str
    troubles: list[str] = field(default_factory=list)

    def open(self, path: str) -> None:
        """Go to a path of the service."""
        self.page.goto(self.url + path)

    def keep(self, name: str) -> None:
        """Keep a picture of the whole page."""
        SCREENSHOTS.mkdir(exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)

    def forgive(self, status: str) -> None:
        """Take back what the browser says of an answer of this status, which was asked for."""
        self.troubles[:] = [said for said in self.troubles if f"status of {status}" not in said]

    def check(self) -> None:
        """Fail where axe finds fault with the page."""
        found = Axe().run(self.page)
        assert found.violations_count == 0, found.generate_report()


@dataclass(frozen=True)
class Site:
    """The service and the browser."""

    url: str
    browser: Browser

    @contextmanager
    def visitor(self, width: int = 1280, **context: Any) -> Iterator[Visitor]:
        """Somebody new, on whose pages nothing may go wrong."""
        opened = self.browser.new_context(viewport={"width": width, "height": 900}, reduced_motion="reduce", **context)
        opened.set_default_timeout(PATIENCE)
        visitor = Visitor(opened.new_page(), self.url)
        visitor.page.on("console", lambda said: _note(visitor, said))
        visitor.page.on("pageerror", lambda error: visitor.troubles.append(str(error)))
        yield visitor
        opened.close()
        assert visitor.troubles == []


def _note(visitor: Visitor, said: ConsoleMessage) -> None:
    if said.type in ("error", "warning"):
        visitor.troubles.append(f"{said.text} ({said.location})")


@pytest.fixture(scope="package")  # a Playwright that stayed would stand in the way of others' event loops
def site(ingredients: AuditInputs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """An embedded service whose form's example runs as it is."""
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
    """Two recipes of two runs each, as `make demo` leaves them."""
    for recipe, models in {"cross-entropy": (0, 1), "human-guided": (1, 2)}.items():
        for number, model in enumerate(models, start=1):
            place = demo / "models" / recipe / f"{number}.pt"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.hardlink_to(ingredients.models[model])
    shutil.copytree(ingredients.images, demo / "pictures", copy_function=os.link)
    random = np.random.default_rng(1)
    for number in range(6, 9):  # so many that the first job can be watched
        for name in CLASSES:
            write_image(demo / "pictures" / name / f"{number}.png", random)
