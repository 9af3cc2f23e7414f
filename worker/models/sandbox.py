"""Loads a model in another process first, with limits on memory and time."""

import atexit
import json
import os
import select
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from service.errors import ModelRefused
from service.errors.transient import TransientError
from service.queue import parent_death
from service.spec.cohort import Model
from service.spec.model import Json
from worker.models.config_files import ModelMetadata
from worker.settings import WorkerSettings

GIB = 2**30


@dataclass(frozen=True)
class SandboxLimits:
    """The limits for loading a model: bytes of memory beyond those of the libraries, and seconds."""

    memory: int = 16 * GIB
    seconds: float = 300.0


DEFAULT_LIMITS = SandboxLimits()
# The environment variables that the sandbox process inherits: paths of programs and libraries, and their use of the
# machine. It gets no password and no key of a database, broker, object store or registry.
INHERITED = frozenset(
    {"HOME", "LANG", "LANGUAGE", "LD_LIBRARY_PATH", "LD_PRELOAD", "PATH", "TMPDIR", "TZ", "USER", "VIRTUAL_ENV"}
)
INHERITED_PREFIXES = ("CUDA_", "KMP_", "LC_", "MALLOC_", "MKL_", "OMP_", "OPENBLAS_", "PYTHON", "PYTORCH_", "TORCH_")


def limits_from(settings: WorkerSettings) -> SandboxLimits:
    """Return the limits in the worker's settings."""
    return SandboxLimits(int(settings.model_memory_gib * GIB), settings.model_seconds)


@cache
def sandbox_for(limits: SandboxLimits) -> "ModelSandbox":
    """Return the one sandbox of this process with these limits."""
    sandbox = ModelSandbox(limits)
    atexit.register(sandbox.close)
    return sandbox


def _environment() -> dict[str, str]:
    """Return the environment of the sandbox process, in which it sees no GPU."""
    inherited = {
        name: value for name, value in os.environ.items() if name in INHERITED or name.startswith(INHERITED_PREFIXES)
    }
    return {**inherited, "CUDA_VISIBLE_DEVICES": ""}


class ModelSandbox:
    """A process that loads models before the worker does. It starts on first use, and again after a crash."""

    def __init__(self, limits: SandboxLimits) -> None:
        self.limits = limits
        self._process: subprocess.Popen[bytes] | None = None

    def read_metadata(self, path: Path, model: Model) -> ModelMetadata:
        """Read the preprocessing and class names that a model's files declare. Raises ModelRefused."""
        declared = self._run(path, model, None)
        return ModelMetadata(declared["preprocessing"], tuple(declared["names"]) if declared["names"] else None)

    def check_loads(self, path: Path, model: Model, chunk: int) -> Json:
        """Load a model in the sandbox and return its description. Raises ModelRefused."""
        return self._run(path, model, chunk)

    def _run(self, path: Path, model: Model, chunk: int | None) -> Json:
        dumped = model.model_dump(mode="json", exclude_unset=True)
        request = json.dumps({"path": str(path), "model": dumped, "chunk": chunk})
        answer = self._request(request, path)
        if "refused" in answer:
            raise ModelRefused(reason=answer["refused"], model_field=answer["model_field"])
        if "out_of_memory" in answer:
            raise ModelRefused(
                reason=f"{path} needs more than {self.limits.memory / GIB:g} GiB of memory to load; "
                "raise SALIENCE_MODEL_MEMORY_GIB to allow more"
            )
        if "transient" in answer:
            raise TransientError(answer["transient"])
        result: Json = answer["result"]
        return result

    def close(self) -> None:
        """Stop the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()  # this also closes the process's pipes
            self._process = None

    def _request(self, line: str, path: Path) -> Json:
        process = self._running()
        assert process.stdin is not None and process.stdout is not None
        with suppress(BrokenPipeError):  # the read below notices that the process has ended
            process.stdin.write(f"{line}\n".encode())
            process.stdin.flush()
        end, received = time.monotonic() + self.limits.seconds, b""
        while not received.endswith(b"\n"):
            if not select.select([process.stdout], [], [], max(0, end - time.monotonic()))[0]:
                self.close()
                raise ModelRefused(
                    reason=f"{path} takes more than {self.limits.seconds:g} s to load; raise SALIENCE_MODEL_SECONDS "
                    "to allow more"
                )
            part = os.read(process.stdout.fileno(), 1 << 20)
            if not part:
                status = process.wait()
                self.close()
                if status == 0:  # the process was idle and exited just before the request
                    return self._request(line, path)
                raise ModelRefused(reason=f"{path} crashes the process that loads it (exit status {status})")
            received += part
        answer: Json = json.loads(received)
        return answer

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.close()
            command = parent_death.command(
                parent_death.python_command("worker.models.sandbox_process", str(self.limits.memory))
            )
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=_environment())
        return self._process
