"""The initial spec of the form for new jobs: the demo's audit if its models are present, else a template."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from service.spec.cohort import Cohort
from service.spec.model import JobSpec

DEMO = Path(".demo")  # where `make demo` writes models and images
DEMO_INPUT = {"preprocessing": {"size": [64, 64], "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]}}
PLACEHOLDER = Path("/path/to")


def example_spec(roots: Sequence[Path]) -> str:
    """Return the text of a spec with the demo's cohorts under these roots, or of a template."""
    demo = next((root / DEMO for root in roots if (root / DEMO / "models").is_dir()), None)
    return format_spec(_of_demo(demo) if demo else _pattern())


def copy_spec(spec: JobSpec, other: JobSpec | None = None) -> str:
    """Return the text of a job's spec; with `other`, also with that job's cohorts, so that one job compares all."""
    document = spec.model_dump(mode="json", exclude_defaults=True)
    if other is not None:
        taken = {cohort.name for cohort in spec.cohorts}
        document["cohorts"] += [_renamed(cohort, taken) for cohort in other.cohorts]
    return format_spec(document)


def format_spec(spec: dict[str, Any]) -> str:
    """Format a spec as JSON in the style in which people write it: short values stay on one line."""
    return _lines(spec, "")


def _of_demo(demo: Path) -> dict[str, Any]:
    folders = sorted(path for path in (demo / "models").iterdir() if path.is_dir())
    runs = {each.name: [{"uri": run.as_uri()} for run in sorted(each.glob("*.pt"))] for each in folders}
    cohorts = [{"name": name, "model": DEMO_INPUT, "runs": some} for name, some in runs.items()]
    return {
        "name": "two recipes", "labels": {"team": "demo"}, "cohorts": cohorts,
        "images": {"uri": (demo / "pictures").as_uri()},
    }  # fmt: skip


def _pattern() -> dict[str, Any]:
    runs = [{"uri": (PLACEHOLDER / "models" / f"{number}.pt").as_uri()} for number in (1, 2)]
    return {
        "name": "my detector", "labels": {"team": "vision"}, "cohorts": [{"name": "candidate", "runs": runs}],
        "images": {"uri": (PLACEHOLDER / "pictures").as_uri()},
    }  # fmt: skip


def _renamed(cohort: Cohort, taken: set[str]) -> dict[str, Any]:
    name, number = cohort.name, 2
    while name in taken:
        name, number = f"{cohort.name} ({number})", number + 1
    taken.add(name)
    return {**cohort.model_dump(mode="json", exclude_defaults=True), "name": name}


def _lines(value: Any, indent: str) -> str:
    flat = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or (len(indent) + len(flat) <= 100 and indent):
        return flat
    inner = indent + "  "
    if isinstance(value, dict):
        parts = [f"{inner}{json.dumps(key, ensure_ascii=False)}: {_lines(each, inner)}" for key, each in value.items()]
        return "{\n" + ",\n".join(parts) + f"\n{indent}}}"
    return "[\n" + ",\n".join(inner + _lines(each, inner) for each in value) + f"\n{indent}]"
