"""A process that loads models before a worker does, within limits: `python -m worker.models.sandbox_process`.

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
from service.errors.transient import is_transient
from service.spec.model import Model
from worker.models.metadata import describe, read_metadata
from worker.runtime.batch_size import is_out_of_memory

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


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    path, model = Path(request["path"]), Model.model_validate(request["model"])
    try:
        if request["chunk"] is None:
            return {"found": asdict(read_metadata(path, model))}
        return {"found": describe(path, model, request["chunk"])}
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
