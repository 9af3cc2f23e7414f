"""Runs one audit job through the service: starts it, submits the job, waits and reads the results."""

import sys
from collections.abc import Sequence
from pathlib import Path

from examples.experiment.canvas import SIDE
from examples.experiment.cohorts import model_path
from examples.experiment.serving import running_service
from examples.experiment.training import MEAN, STD
from salience import Client, Job, JobState
from service.commands.progress import progress
from service.spec.model import Json

MEASURES = ("entropy", "noise", "geometry", "stability", "degradation", "human")


def make_spec(home: Path, recipes: Sequence[str], runs: int) -> Json:
    """Return the spec that audits the models of these recipes on the images below `home`."""
    preprocessing = {"size": [SIDE, SIDE], "mean": MEAN, "std": STD}
    cohorts = [
        {
            "name": recipe,
            "model": {"preprocessing": preprocessing},
            "runs": [{"uri": model_path(home, recipe, seed).as_uri()} for seed in range(runs)],
        }
        for recipe in recipes
    ]
    images = {"uri": (home / "manifest.csv").as_uri()}
    return {"name": "experiment", "cohorts": cohorts, "images": images, "measures": MEASURES}


def audit(home: Path, spec: Json) -> Json:
    """Audit a spec with a service whose state is below `home`, and return the results. Exits if the job fails."""
    with running_service(home) as url, Client(url) as client:
        ended = _follow(client, client.submit(spec).id)
        if ended.state is not JobState.SUCCEEDED:
            sys.exit(f"The job has {ended.state}: {ended.error}")
        return client.results(ended.id).raw


def _follow(client: Client, job: str) -> Job:
    with progress() as show:
        for current in client.follow(job):
            show(current.state, current.images_done, current.images_total)
    return current
