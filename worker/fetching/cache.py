"""What was fetched or unpacked, on this machine's disk: by key, content kept once, the least used going first.

Workers of a machine share it: each entry is made by one of them, under a lock, while others wait for it; what is
in use by any of them stays.
"""

import fcntl
import hashlib
import os
import re
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from service.errors import InputRefused
from service.redaction import redacted
from worker.digests import digest_of
from worker.meters import note_cache

GIB = 2**30
DIGEST = re.compile("[0-9a-f]{64}")  # a key that a full disk or a kill cut off would name all objects at once
HELD = 64  # entries that a process keeps others from removing
SLOT = 4  # hexadecimal digits that name a lock: few share one, which costs a wait at most, and there are no more
HALF_SECONDS = 86400.0  # for which what was half made waits to be gone on with


@dataclass
class Cache:
    """A folder of at most `limit` bytes, or what is in use."""

    folder: Path
    limit: int = 50 * GIB
    _held: "OrderedDict[str, int]" = field(default_factory=OrderedDict)
    _holding: threading.Lock = field(default_factory=threading.Lock)  # threads of a worker share it

    def get(self, key: str, make: Callable[[Path], None]) -> Path:
        """The file or folder of a key; unless it is there, `make` is to fill a folder with it.

        A folder that `make` left half filled is there again the next time, so that it can go on.
        """
        name = hashlib.sha256(key.encode()).hexdigest()
        with self._lock(_making(name)):
            found = self._find(name)
            note_cache("files", found is not None)
            if found is None:
                partial = self._below("partial") / name
                partial.mkdir(exist_ok=True)
                try:
                    make(partial)
                except InputRefused:  # which trying again does not change
                    shutil.rmtree(partial)
                    raise
                found = self._keep(name, partial)
        inside = list(found.iterdir())
        return inside[0] if len(inside) == 1 and inside[0].is_file() else found

    def check_size(self, size: int, what: str) -> None:
        """Raise InputRefused for what is larger than the cache."""
        if size > self.limit:
            raise InputRefused(
                reason=f"{what} has {size:,} bytes, and the cache of workers {self.limit:,}; see SALIENCE_CACHE_GIB"
            )

    def told(self, text: str, source: str) -> str:
        """A text that names what came from a source by that, and not by where it is kept here."""
        last = re.escape(re.split("[/:]", source.partition("?")[0])[-1])
        entry = rf"/(?:objects|partial)/[0-9a-f]{{64}}(?:/(?:{last}|inflated\.tar)(?![\w.-]))?"
        return re.sub(rf"{re.escape(str(self.folder))}(?![\w.-])(?:{entry})?", lambda _: redacted(source), text)

    def _find(self, name: str) -> Path | None:
        try:
            digest = (self._below("keys") / name).read_text()
        except FileNotFoundError:
            return None
        if not DIGEST.fullmatch(digest):
            return None
        self._hold(digest)
        found = self._below("objects") / digest
        if not found.is_dir():
            return None
        os.utime(found)
        return found

    def _keep(self, name: str, partial: Path) -> Path:
        digest = digest_of(partial)
        self._hold(digest)
        kept = self._below("objects") / digest
        if kept.exists():
            shutil.rmtree(partial)
        else:
            partial.rename(kept)
        os.utime(kept)
        (self._below("keys") / name).write_text(digest)
        self._make_room()
        return kept

    def _make_room(self) -> None:
        with self._lock("room"):
            self._clear()
            kept = sorted(self._below("objects").iterdir(), key=lambda each: each.stat().st_mtime)
            sizes = {each: _size(each) for each in kept}
            total = sum(sizes.values())
            for each in kept:
                if total <= self.limit:
                    return
                if self._remove(each):
                    total -= sizes[each]

    def _clear(self) -> None:
        """Remove what was half made and given up, and keys of what has gone."""
        for half in self._below("partial").iterdir():
            if half.stat().st_mtime < time.time() - HALF_SECONDS:
                self._remove_alone(half, _making(half.name))
        for key in self._below("keys").iterdir():
            digest = key.read_text()
            if not DIGEST.fullmatch(digest) or not (self._below("objects") / digest).is_dir():
                key.unlink()

    def _remove(self, kept: Path) -> bool:
        """Remove an entry that nobody uses. False: somebody does."""
        return kept.name not in self._held and self._remove_alone(kept, kept.name[:SLOT])

    def _remove_alone(self, folder: Path, lock: str) -> bool:
        """Remove a folder whose lock nobody has. False: somebody has it."""
        descriptor = self._open_lock(lock)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder)
        except BlockingIOError:
            return False
        finally:
            os.close(descriptor)
        return True

    def _hold(self, digest: str) -> None:
        """Keep others from removing an entry, as long as this process uses few others."""
        with self._holding:
            if digest not in self._held:
                descriptor = self._open_lock(digest[:SLOT])
                fcntl.flock(descriptor, fcntl.LOCK_SH)
                self._held[digest] = descriptor
            self._held.move_to_end(digest)
            while len(self._held) > HELD:
                _, oldest = self._held.popitem(last=False)
                os.close(oldest)

    @contextmanager
    def _lock(self, name: str) -> Iterator[None]:
        descriptor = self._open_lock(name)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _open_lock(self, name: str) -> int:
        return os.open(self._below("locks") / name, os.O_CREAT | os.O_RDWR, 0o600)

    def _below(self, name: str) -> Path:
        found = self.folder / name
        found.mkdir(parents=True, exist_ok=True)
        return found


def _making(name: str) -> str:
    return f"{name[:SLOT]}.making"


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
