"""A measure that only the tests register: similarity between the maps of an image at full and at lower contrast.

As a program, this module registers the measure, audits a small job over HTTP, and prints what the API, the table, the
figure and the report show of the measure. A test runs it in a new interpreter, since the measure must be registered
before the spec is imported.
"""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field
from torch import Tensor

from service.measures import MEASURES
from service.measures.measure import MapVariants, Measure, Ranking, Wording, canonical_amount
from service.measures.strict_model import StrictModel
from tests.support.soundness import ALL_OFF
from worker.measures.columns import Columns, compare_maps, with_headline
from worker.measures.explanation import Explanation


class ContrastOptions(StrictModel):
    """The options of the measure: which contrasts the variants of an image have."""

    factors: Annotated[list[float], Field(min_length=1)] = [0.25, 0.5]  # noqa: RUF012  # pydantic copies it
    """For each variant, the factor that multiplies the difference of each value from mid-grey."""


def keys(options: ContrastOptions) -> Sequence[str]:
    return [str(factor) for factor in options.factors]


def sample(options: ContrastOptions) -> Sequence[str]:
    return [f"contrast:{options.factors[0]}"]


def narrow(_options: ContrastOptions, names: Sequence[str]) -> Mapping[str, Any]:
    return {"factors": [float(name.removeprefix("contrast:")) for name in names]}


CONTRAST = Measure(
    name="contrast",
    meaning="Mean SSIM between the clean map and the maps at lower contrast.",
    source="tests",
    wording=Wording(
        "Contrast",
        "Does attention stay where it was at lower contrast?",
        low="contrast shifts attention",
        middling="contrast shifts attention partly",
        high="attention stays",
    ),
    options=ContrastOptions,
    variants=keys,
    ranking=Ranking("most disturbed by contrast", "Most disturbed by contrast", "contrast shifts attention most"),
    map_variants=MapVariants(
        syntax="contrast:FACTOR",
        pattern=re.compile(r"contrast:[^:]*"),
        sample=sample,
        narrow=narrow,
        prefix="contrast:",
        canonical=canonical_amount,
    ),
)


def variants(images: Tensor, *, factors: Sequence[float]) -> dict[str, Tensor]:
    return {str(factor): 0.5 + factor * (images - 0.5) for factor in factors}


def score(clean: Explanation, dull: Mapping[str, Explanation]) -> Columns:
    return with_headline("contrast", {factor: compare_maps(clean, seen) for factor, seen in dull.items()})


def audit(folder: Path) -> dict[str, Any]:
    """Audit a job with the measure. Returns what the API, the table, the figure and the report show of the measure."""
    import httpx
    import torch

    from service.artifacts.store import ArtifactStore
    from service.commands.figure import draw
    from service.commands.results_table import print_results
    from service.main import create_app
    from service.queue import embedded
    from service.settings import ServiceSettings
    from service.storage import Store, migrate
    from tests.support.api import submit, work_off
    from tests.support.jobs import make_audit_inputs
    from tests.support.servers import serving
    from worker.context import WorkerContext
    from worker.inputs.cache import FileCache
    from worker.inputs.resolver import InputResolver
    from worker.runner import Runner

    everywhere, database = (Path("/"),), f"sqlite:///{folder}/tests.sqlite"
    store = Store.open(database)
    migrate.upgrade(store.database.engine)
    inputs = InputResolver(everywhere, ArtifactStore(str(folder / "artifacts")), FileCache(folder / "cache"))
    runner = Runner(store, WorkerContext.create(torch.device("cpu"), inputs, 4), "tests", 30, notify=lambda _: None)
    rules = [
        {"measure": "contrast", "op": ">=", "value": -1},
        {"measure": "contrast.parts.0.5", "op": ">=", "value": -1, "statistic": "pearson"},
    ]
    with embedded.broker() as broker:
        settings = ServiceSettings(data_dir=folder, database_url=database, broker_url=broker, allowed_roots=everywhere)
        with serving(create_app(settings)) as url, httpx.Client(base_url=url) as api:
            measures = ["entropy", "contrast"]
            job = submit(
                api,
                make_audit_inputs(folder),
                measures=measures,
                options={},
                gate={"rules": rules, "soundness": ALL_OFF},
            )["id"]
            work_off(runner)
            results = api.get(f"/v1/jobs/{job}/results").json()
            path = f"/v1/jobs/{job}/images/0/map.npy"
            api.get(path, params={"variant": "contrast:.75", "wait": 0})
            work_off(runner)
            map_status = api.get(path, params={"variant": "contrast:.75"}).status_code
            table = StringIO()
            with redirect_stdout(table):
                print_results(results)
            return {
                "catalogue": api.get("/v1/measures").json(),
                "refusal": api.post("/v1/jobs", json={"measures": ["contrasts"]}).text,
                "plan": (store.jobs.get(job).plan or {})["columns"]["run"],
                "measure": results["cohorts"]["plain"]["measures"]["contrast"],
                "why": [why for each in results["sample"] for why in each["why"]],
                "verdict": api.get(f"/v1/jobs/{job}/verdict").json(),
                "map": map_status,
                "table": table.getvalue(),
                "figure": len(draw(results, "contrast", "svg")),
                "report": api.get(f"/v1/jobs/{job}/report").text,
            }


if __name__ == "__main__":
    MEASURES["contrast"] = CONTRAST  # must come before the first import of the spec
    from worker.audit.scoring import SCORERS, Scorer

    SCORERS["contrast"] = Scorer(
        lambda seen: score(seen.clean, seen.variants),
        variants=lambda probed, options: variants(probed.images, factors=options.factors),
    )
    sys.stdout.write(json.dumps(audit(Path(sys.argv[1]))))
