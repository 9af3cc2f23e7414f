"""Kills random processes at random times. A seed makes the choices reproducible."""

import contextlib
import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import redis

from tests.support.processes import process_tree
from tests.support.production import Production
from tests.support.supervised_process import SupervisedProcess

SHORTEST_PAUSE, LONGEST_PAUSE = 0.3, 1.5


@dataclass
class Killer:
    """Kills one process after another: first one process of each kind, then random processes."""

    production: Production
    seed: int
    most: int | None = None
    kills: Counter[str] = field(default_factory=Counter)

    def run(self, stop: threading.Event) -> None:
        """Kill processes until `stop` is set or the number of kills reaches `most`."""
        chance = random.Random(self.seed)
        kinds: Mapping[str, Callable[[random.Random], bool]] = {
            "worker": lambda chance: chance.choice(self.production.workers).signal(signal.SIGKILL),
            "prefork child": self._kill_child,
            "API": lambda chance: chance.choice(self.production.apis).signal(signal.SIGKILL),
            "broker": lambda _: self.production.broker.signal(signal.SIGKILL),
            "broker flushed": self._flush,
            "Postgres": lambda _: self.production.postgres.signal(signal.SIGKILL),
        }
        coming = chance.sample(list(kinds), len(kinds))
        while not stop.wait(chance.uniform(SHORTEST_PAUSE, LONGEST_PAUSE)):
            if self.kills.total() == self.most:
                return
            kind = coming.pop() if coming else chance.choice(list(kinds))
            if kinds[kind](chance):
                self.kills[kind] += 1

    def _kill_child(self, chance: random.Random) -> bool:
        worker: SupervisedProcess = chance.choice(self.production.workers)
        pid = worker.pid
        children = sorted(process_tree(pid) - {pid}) if pid else []
        if children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(children[0], signal.SIGKILL)
        return bool(children)

    def _flush(self, _: random.Random) -> bool:
        try:
            self.production.flush()
        except redis.ConnectionError:
            return False
        return True


@contextmanager
def killing(production: Production, seed: int, most: int | None = None) -> Iterator[Killer]:
    """Kill at most `most` random processes in a background thread while this context is open. Yields the killer."""
    killer, stop = Killer(production, seed, most), threading.Event()
    thread = threading.Thread(target=killer.run, args=[stop], daemon=True)
    thread.start()
    try:
        yield killer
    finally:
        stop.set()
        thread.join()
