"""Restarts processes whenever they die, as systemd or Docker would."""

import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.support.fork_server import RunningProcess

RESTART_SECONDS = 0.3


@dataclass
class SupervisedProcess:
    """A process that a thread restarts whenever it dies. On exit of the context manager, the process is stopped."""

    start: Callable[[], RunningProcess]
    _process: RunningProcess | None = None
    _stopping: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> "SupervisedProcess":
        self._thread = threading.Thread(target=self._supervise, daemon=True)
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
        """The process ID, None while the process does not run."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def signal(self, number: signal.Signals) -> bool:
        """Send a signal. Returns False if the process does not run."""
        process = self._process
        if process is None or process.poll() is not None:
            return False
        process.send_signal(number)
        return True

    def _supervise(self) -> None:
        while not self._stopping.is_set():
            self._process = self.start()
            if self._stopping.is_set():
                self._process.terminate()
            self._process.wait()
            self._stopping.wait(RESTART_SECONDS)
