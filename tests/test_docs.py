"""Checks the documentation: its commands run, its generated blocks are current, and its site needs no network."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from click.testing import CliRunner

from docs.generate import BLOCKS, main
from service.spec.model import MeasureName, spec_digest
from tests.support.jobs import CLASSES, AuditInputs
from tests.support.models import save_archive
from tests.support.processes import Installation
from tests.support.squares import LABELS, Honest, save_squares
from worker.runner import Runner

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
SIDE = 64  # the side in pixels of the images that the specs in examples/jobs/ audit
BY_HAND = {
    "make demo",
    'export PATH="$PWD/.venv/bin:$PATH"',
    "salience serve",
}  # commands of the tutorial that the test replaces
# Fields whose value is an object with arbitrary keys, such as names of cohorts, classes or Python packages.
NAMED = {"cohorts", "measures", "parts", "class", "models", "layers", "classes_by", "software"}


def blocks(page: str) -> list[str]:
    """Return the indented blocks of a page, without the indentation."""
    found = re.findall(r"(?:^    .*\n)+", (DOCS / page).read_text(), re.MULTILINE)
    return [re.sub(r"^    ", "", each, flags=re.MULTILINE).strip() for each in found]


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    """A folder with examples/, and with the files that `make demo` creates, but tiny models and few images."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    for recipe in ("cross-entropy", "human-guided"):
        folder = tmp_path / ".demo" / "models" / recipe
        folder.mkdir(parents=True)
        for number in (1, 2, 3):
            save_archive(honest_run(number), folder / f"{number}.pt", SIDE)
    squares = save_squares(tmp_path / "squares", count=10)
    for label, name in zip(LABELS, CLASSES, strict=True):
        shutil.copytree(squares / label, tmp_path / ".demo" / "pictures" / name)
    return tmp_path


def honest_run(seed: int) -> Honest:
    """Return a model that classifies the squares correctly, and differs a little from those of other seeds."""
    torch.manual_seed(seed)
    model = Honest().eval()
    with torch.no_grad():
        model.head.weight.add_(torch.randn_like(model.head.weight))
    return model


def run(block: str, installation: Installation) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**installation.environment, "PATH": path, "COLUMNS": "200"}
    argv = ["bash", "-euo", "pipefail", "-c", block]
    return subprocess.run(argv, env=environment, cwd=installation.folder, capture_output=True, text=True, check=False)


def test_the_commands_of_the_tutorial_give_a_report_and_a_verdict(demo: Path) -> None:
    installation, commands = Installation.make(demo), blocks("tutorial.md")
    assert set(commands) > BY_HAND
    *steps, gate = [each for each in commands if each not in BY_HAND]
    with installation.serve():
        for block in steps:
            found = run(block, installation)
            assert found.returncode == 0, block + found.stdout + found.stderr
        judged = run(gate, installation)
    assert json.loads((demo / "results.json").read_text())["cohorts"]["human-guided"]["measures"]
    assert "human-guided" in (demo / "report.html").read_text()
    assert judged.returncode in (0, 1), judged.stdout + judged.stderr
    assert "geometry.parts.hflip >= 0.5" in judged.stdout


def test_the_check_reports_an_outdated_block_which_can_be_generated_again(tmp_path: Path) -> None:
    pages = Path(shutil.copytree(DOCS, tmp_path / "docs"))
    page = pages / "reference" / "settings.md"
    current = page.read_text()
    page.write_text(current.replace("| `SALIENCE_PORT` | `8000` |", "| `SALIENCE_PORT` | `80` |"))
    found = CliRunner().invoke(main, ["--check", "--folder", str(pages)])
    assert found.exit_code == 1
    assert str(page) in found.output and "python -m docs.generate" in found.output
    assert CliRunner().invoke(main, ["--folder", str(pages)]).exit_code == 0
    assert page.read_text() == current
    assert CliRunner().invoke(main, ["--check", "--folder", str(pages)]).exit_code == 0


def test_the_pages_contain_every_generated_block() -> None:
    text = "".join(page.read_text() for page in DOCS.rglob("*.md"))
    assert set(re.findall(r"<!-- generate: (\w+) -->", text)) == set(BLOCKS)


def test_the_site_builds_and_loads_nothing_from_other_servers(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    built = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    pages = list(tmp_path.rglob("*.html"))
    assert len(pages) > len(list(DOCS.rglob("*.md")))
    for page in pages:
        loaded = re.findall(
            r"<(?:script|img|link|iframe)\b[^>]*(?:src|href)=\"?((?:https?:)?//[^\s\">]+)", page.read_text()
        )
        assert not loaded, page


def keys(tree: Any, named: bool = False) -> Iterator[str]:
    """Yield the names of the fields of a results document, without the arbitrary keys below the fields in NAMED."""
    if isinstance(tree, list):
        for each in tree:
            yield from keys(each)
    elif isinstance(tree, Mapping):
        for key, value in tree.items():
            if not named:
                yield key
            yield from keys(value, not named and key in NAMED)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # the result does not depend on the database
def test_the_results_page_of_the_documentation_names_every_field_of_results(
    runner: Runner, ingredients: AuditInputs
) -> None:
    spec = ingredients.spec(
        cohorts=[ingredients.cohort("a", 0, 1), ingredients.cohort("b", 1, 2)],
        out_of_set={"uri": ingredients.images.as_uri()},
        measures=["entropy", "noise", "stability"],
    )
    job = runner.store.jobs.accept(spec, spec_digest(spec), None)[0].id
    while runner.work():
        pass
    results = json.loads(runner.store.jobs.summary(job) or "")
    results["provenance"].pop("spec")  # the page about specs documents it
    text = (DOCS / "reference" / "results.md").read_text()
    documented = set(re.findall(r"[\w.]+", " ".join(re.findall(r"`([^`]+)`", text))))
    documented |= {part for each in documented for part in each.split(".")} | set(get_args(MeasureName))
    fields = {key.removesuffix("_ci95") for key in keys(results)}
    assert {"wasserstein", "d_z", "histogram"} <= fields <= documented


@pytest.mark.parametrize("block", ["spec", "policy", "requests", "bodies", "settings", "measures", "methods"])
def test_every_row_of_the_generated_tables_has_a_description(block: str) -> None:
    rows = [line for line in BLOCKS[block]().splitlines() if line.startswith("| `")]
    assert rows
    assert [row for row in rows if not row.split(" | ")[-1].strip(" |")] == []
