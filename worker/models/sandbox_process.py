"""The sandbox process, which loads models with a memory limit: `python -m worker.models.sandbox_process BYTES`.

Each request and each answer is one line of JSON. A model that fills the memory, hangs or crashes affects this process
and not the worker.
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
from service.errors.transient import is_transient
from service.spec.cohort import Model
from worker.models.metadata import describe, read_metadata
from worker.runtime.batch_size import is_out_of_memory

IDLE_SECONDS = 120
OOM_SCORE = "1000"  # the kernel kills this process first if the machine runs out of memory


def main(memory: int) -> None:
    """Answer requests until standard input closes or is idle. `memory` is the limit for models, in bytes."""
    answers = _take_stdout()
    if sys.platform == "linux":
        Path("/proc/self/oom_score_adj").write_text(OOM_SCORE)
        limit = _mapped_bytes() + memory
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    while select.select([sys.stdin], [], [], IDLE_SECONDS)[0]:
        line = sys.stdin.readline()
        if not line:
            return
        print(json.dumps(_answer(json.loads(line))), file=answers, flush=True)


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    path, model = Path(request["path"]), Model.model_validate(request["model"])
    try:
        if request["chunk"] is None:
            return {"result": asdict(read_metadata(path, model))}
        return {"result": describe(path, model, request["chunk"])}
    except InputRefused as refused:
        return {"refused": str(refused), "model_field": refused.facts.get("model_field")}
    except Exception as error:
        if is_out_of_memory(error):
            return {"out_of_memory": True}
        if is_transient(error):
            return {"transient": str(error)}
        raise


def _take_stdout() -> TextIO:
    """Return standard output for answers, and redirect what libraries print to standard error."""
    own = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return own


def _mapped_bytes() -> int:
    """Return the bytes of address space that this process already uses."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


if __name__ == "__main__":
    main(int(sys.argv[1]))
