"""A process that loads models before a worker does, within limits, and tells what they are: `python -m worker.trial`.

One line of JSON asks and one answers. A model that fills the memory, never ends or breaks the process breaks this one.
"""

import json
import os
import resource
import select
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from service.errors import InputRefused
from service.spec import Model
from service.transient import is_transient
from worker.batching import is_out_of_memory
from worker.classifiers.describe import describe
from worker.classifiers.own_say import own_say

IDLE_SECONDS = 120
FIRST_TO_GO = "1000"  # should memory run out all the same, this process is the kernel's choice


def main(memory: int) -> None:
    """Answer until nobody asks any more; `memory` is how many bytes models may take."""
    answers = _take_stdout()
    if sys.platform == "linux":
        Path("/proc/self/oom_score_adj").write_text(FIRST_TO_GO)
        limit = _mapped() + memory
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    while select.select([sys.stdin], [], [], IDLE_SECONDS)[0]:
        line = sys.stdin.readline()
        if not line:
            return
        print(json.dumps(_answer(json.loads(line))), file=answers, flush=True)


def _answer(asked: dict[str, Any]) -> dict[str, Any]:
    path, model = Path(asked["path"]), Model.model_validate(asked["model"])
    try:
        if asked["chunk"] is None:
            return {"found": asdict(own_say(path, model))}
        return {"found": describe(path, model, asked["chunk"])}
    except InputRefused as refused:
        return {"refused": str(refused), "model_field": refused.facts.get("model_field")}
    except Exception as error:
        if is_out_of_memory(error):
            return {"out_of_memory": True}
        if is_transient(error):
            return {"passing": str(error)}
        raise


def _take_stdout() -> TextIO:
    """Standard output for answers alone; what libraries print goes to standard error."""
    own = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return own


def _mapped() -> int:
    """Bytes of address space that this process has already."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


if __name__ == "__main__":
    main(int(sys.argv[1]))
