"""Processes that are started again whenever they die, as systemd or Docker would."""

import os
import signal
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

RESTART_SECONDS = 0.3


@dataclass
class Kept:
    """A process and the thread that keeps it running; the process dies with that thread."""

    start: Callable[[], "subprocess.Popen[bytes]"]
    _process: "subprocess.Popen[bytes] | None" = None
    _stopping: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> "Kept":
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self.signal(signal.SIGTERM)
        assert self._thread is not None
        self._thread.join(20)
        self.signal(signal.SIGKILL)
        self._thread.join()

    @property
    def pid(self) -> int | None:
        """The process, if it runs."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def signal(self, number: signal.Signals) -> bool:
        """Send a signal. False: it does not run."""
        pid = self.pid
        if pid is not None:
            os.kill(pid, number)
        return pid is not None

    def _keep(self) -> None:
        while not self._stopping.is_set():
            self._process = self.start()
            if self._stopping.is_set():
                self._process.terminate()
            self._process.wait()
            self._stopping.wait(RESTART_SECONDS)
