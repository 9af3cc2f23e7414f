"""`python -m examples.demo`: make pictures, train two cohorts, audit them over HTTP, show what differs."""

import json
import sys
import time
from pathlib import Path

from rich.console import Console

from examples.demo.pictures import CLASSES, SIDE, make_examples, save_examples
from examples.demo.service import running_service
from examples.demo.training import MEAN, STD, save, train
from service.client import Client
from service.commands.progress import progress
from service.commands.table import print_results
from service.domain import JobState, Json
from service.errors import SalienceError

HOME = Path(".demo").resolve()
RECIPES = {"cross-entropy": False, "human-guided": True}
RUNS, EPOCHS = 3, 12
TRAINING, AUDITED = 640, 48

console = Console(soft_wrap=True)


def main() -> int:
    """The demo from beginning to end. Returns its exit status."""
    started = time.monotonic()
    console.print(f"Making pictures of {' and '.join(CLASSES)} faces in {HOME} ...")
    save_examples(make_examples(AUDITED, seed=1, shortcut=False), HOME / "pictures")
    _train_all()
    console.print("Starting the service ...")
    with running_service(HOME) as url, Client(url) as client:
        job = client.submit(_spec())
        console.print(f"Job {job['id']}: {AUDITED} pictures, {len(RECIPES) * RUNS} models, 22 passes each ...")
        ended = _follow(client, job["id"])
        if ended["state"] != JobState.SUCCEEDED:
            console.print(f"The job has {ended['state']}: {ended['error']}")
            return 1
        results = client.results(job["id"])
    (HOME / "results.json").write_text(json.dumps(results, indent=1), encoding="utf-8")
    print_results(results)
    _say_where(job["id"], time.monotonic() - started)
    return 0


def _train_all() -> None:
    examples = make_examples(TRAINING, seed=0, shortcut=True)
    for recipe, guided in RECIPES.items():
        for seed in range(RUNS):
            console.print(f"Training {recipe}, run {seed + 1} of {RUNS} ...")
            detector, _ = train(examples, seed, EPOCHS, guided=guided)
            save(detector, HOME / "models" / recipe / f"{seed + 1}.pt")


def _spec() -> Json:
    preprocessing = {"size": [SIDE, SIDE], "mean": MEAN, "std": STD}
    cohorts = [
        {
            "name": recipe,
            "model": {"preprocessing": preprocessing},
            "runs": [{"uri": path.as_uri()} for path in sorted((HOME / "models" / recipe).glob("*.pt"))],
        }
        for recipe in RECIPES
    ]
    return {"name": "demo", "cohorts": cohorts, "images": {"uri": (HOME / "pictures").as_uri()}}


def _follow(client: Client, job: str) -> Json:
    seen: Json = {}
    with progress() as show:
        for seen in client.follow(job):
            show(seen["state"], seen["progress"]["images_done"], seen["progress"]["images_total"])
    return seen


def _say_where(job: str, seconds: float) -> None:
    console.print(f"Done in {seconds:.0f} s. The result is in {HOME / 'results.json'}, and the service has kept it:")
    console.print(f"  SALIENCE_DATA_DIR={HOME / 'data'} {Path(sys.executable).parent / 'salience'} serve &")
    console.print(f"  curl http://127.0.0.1:8000/v1/jobs/{job}/results")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("Stopped.")
    except SalienceError as error:
        sys.exit(f"Error: {error}")
