"""Having a model loaded by another process first, which may take so much memory and so long, and no more."""

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
from service.queue import parent_death as tether
from service.spec.model import Json, Model
from worker.models.config_files import ModelMetadata
from worker.settings import WorkerSettings

GIB = 2**30


@dataclass(frozen=True)
class SandboxLimits:
    """What loading a model may take: bytes beside the libraries' own, and seconds."""

    memory: int = 16 * GIB
    seconds: float = 300.0


DEFAULT_LIMITS = SandboxLimits()
# What the process that loads models knows of this one's environment: where programs and libraries are, and how they
# are to use the machine. Passwords and keys of databases, brokers, stores and registries are no business of a model.
PASSED = frozenset(
    {"HOME", "LANG", "LANGUAGE", "LD_LIBRARY_PATH", "LD_PRELOAD", "PATH", "TMPDIR", "TZ", "USER", "VIRTUAL_ENV"}
)
PASSED_BEGINNINGS = ("CUDA_", "KMP_", "LC_", "MALLOC_", "MKL_", "OMP_", "OPENBLAS_", "PYTHON", "PYTORCH_", "TORCH_")


def limits_from(settings: WorkerSettings) -> SandboxLimits:
    """The limits that the environment sets."""
    return SandboxLimits(int(settings.model_memory_gib * GIB), settings.model_seconds)


@cache
def sandbox_for(limits: SandboxLimits) -> "ModelSandbox":
    """The one trial of this process with these limits."""
    trial = ModelSandbox(limits)
    atexit.register(trial.close)
    return trial


def _environment() -> dict[str, str]:
    """The environment of the process that loads models; no device is in its sight."""
    passed = {name: value for name, value in os.environ.items() if name in PASSED or name.startswith(PASSED_BEGINNINGS)}
    return {**passed, "CUDA_VISIBLE_DEVICES": ""}


class ModelSandbox:
    """The process that loads models first. It is started when it is needed, and again once a model broke it."""

    def __init__(self, limits: SandboxLimits) -> None:
        self.limits = limits
        self._process: subprocess.Popen[bytes] | None = None

    def read_metadata(self, path: Path, model: Model) -> ModelMetadata:
        """What a model's files say of its input and classes. Raises ModelRefused."""
        said = self._run(path, model, None)
        return ModelMetadata(said["preprocessing"], tuple(said["names"]) if said["names"] else None)

    def check_loads(self, path: Path, model: Model, chunk: int) -> Json:
        """Load a model there. Returns what it is; raises ModelRefused."""
        return self._run(path, model, chunk)

    def _run(self, path: Path, model: Model, chunk: int | None) -> Json:
        dumped = model.model_dump(mode="json", exclude_unset=True)
        request = json.dumps({"path": str(path), "model": dumped, "chunk": chunk})
        answer = self._request(request, path)
        if "refused" in answer:
            raise ModelRefused(reason=answer["refused"], model_field=answer["model_field"])
        if "out_of_memory" in answer:
            raise ModelRefused(
                reason=f"{path} takes more than {self.limits.memory / GIB:g} GiB of memory to load; "
                "see SALIENCE_MODEL_MEMORY_GIB"
            )
        if "passing" in answer:
            raise TransientError(answer["passing"])
        found: Json = answer["found"]
        return found

    def close(self) -> None:
        """Stop the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()  # and close its pipes
            self._process = None

    def _request(self, line: str, path: Path) -> Json:
        process = self._running()
        assert process.stdin is not None and process.stdout is not None
        with suppress(BrokenPipeError):  # which its end tells below
            process.stdin.write(f"{line}\n".encode())
            process.stdin.flush()
        end, received = time.monotonic() + self.limits.seconds, b""
        while not received.endswith(b"\n"):
            if not select.select([process.stdout], [], [], max(0, end - time.monotonic()))[0]:
                self.close()
                raise ModelRefused(
                    reason=f"{path} takes more than {self.limits.seconds:g} s to load; see SALIENCE_MODEL_SECONDS"
                )
            part = os.read(process.stdout.fileno(), 1 << 20)
            if not part:
                status = process.wait()
                self.close()
                if status == 0:  # it had waited long enough and was about to go
                    return self._request(line, path)
                raise ModelRefused(reason=f"{path} broke the process that loaded it (status {status})")
            received += part
        answer: Json = json.loads(received)
        return answer

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.close()
            command = tether.command(tether.python_command("worker.models.sandbox_process", str(self.limits.memory)))
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=_environment())
        return self._process
