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
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from service.errors import InputRefused
from service.telemetry.redaction import redact
from worker.inputs.digests import digest_path
from worker.runtime.metrics import count_cache_request

GIB = 2**30
DIGEST = re.compile("[0-9a-f]{64}")  # a key that a full disk or a kill cut off would name all objects at once
MAX_HELD = 64  # entries that a process keeps others from removing, at most
SHARES = 8  # of the limit; beside the entry used last, a process keeps others from removing one share
SLOT = 4  # hexadecimal digits that name a lock: few share one, which costs a wait at most, and there are no more
PARTIAL_SECONDS = 86400.0  # for which what was half made waits to be gone on with


@dataclass
class FileCache:
    """A folder of at most `limit` bytes; what is being made or used just now may exceed it."""

    folder: Path
    limit: int = 50 * GIB
    _held: "OrderedDict[str, tuple[int, int]]" = field(default_factory=OrderedDict)  # descriptors of locks, bytes
    _holding: threading.Lock = field(default_factory=threading.Lock)  # threads of a worker share it
    _is_full: bool = False  # with what was in use

    def get(self, key: str, make: Callable[[Path], None], sure: bool = True) -> Path:
        """The file or folder of a key; unless it is there, `make` is to fill a folder with it.

        A folder that `make` left half filled is there again the next time, so that it can go on. Where the key does not
        tell for `sure` what is meant, it is made from the beginning, whatever is there.
        """
        name = hashlib.sha256(key.encode()).hexdigest()
        with self._lock(_making(name)):
            found = self._find(name) if sure else None
            count_cache_request("files", found is not None)
            if found is None:
                partial = self._subfolder("partial") / name
                if partial.exists() and not sure:
                    shutil.rmtree(partial)
                partial.mkdir(exist_ok=True)
                try:
                    make(partial)
                except InputRefused:  # which trying again does not change
                    shutil.rmtree(partial)
                    raise
                found = self._keep(name, partial)
        inside = list(found.iterdir())
        return inside[0] if len(inside) == 1 and inside[0].is_file() else found

    def hold_existing(self, path: Path) -> bool:
        """Go on using what was found before, here or elsewhere. False: it is there no more."""
        kept = self._subfolder("objects")
        if path.is_relative_to(kept):
            digest = path.relative_to(kept).parts[0]
            self._hold(digest, kept / digest)
        return path.exists()

    def release(self) -> None:
        """Let others remove all that was used."""
        with self._holding:
            for descriptor, _ in self._held.values():
                os.close(descriptor)
            self._held.clear()
        if self._is_full:
            self._make_room()

    def check_size(self, size: int, what: str) -> None:
        """Raise InputRefused for what is larger than the cache."""
        if size > self.limit:
            raise InputRefused(
                reason=f"{what} has {size:,} bytes, and the cache of workers {self.limit:,}; see SALIENCE_CACHE_GIB"
            )

    def with_source(self, text: str, source: str) -> str:
        """A text that names what came from a source by that, and not by where it is kept here."""
        last = re.escape(source.partition("?")[0].replace(":", "/").rpartition("/")[2])
        entry = rf"/(?:objects|partial)/[0-9a-f]{{64}}(?:/(?:{last}|inflated\.tar)(?![\w.-]))?"
        return re.sub(rf"{re.escape(str(self.folder))}(?![\w.-])(?:{entry})?", lambda _: redact(source), text)

    def _find(self, name: str) -> Path | None:
        try:
            digest = (self._subfolder("keys") / name).read_text()
        except FileNotFoundError:
            return None
        if not DIGEST.fullmatch(digest):
            return None
        found = self._subfolder("objects") / digest
        self._hold(digest, found)
        return found if found.is_dir() else None

    def _keep(self, name: str, partial: Path) -> Path:
        digest = digest_path(partial)
        self._hold(digest, partial)
        kept = self._subfolder("objects") / digest
        if kept.exists():
            shutil.rmtree(partial)
        else:
            partial.rename(kept)
        (self._subfolder("keys") / name).write_text(digest)
        self._make_room()
        return kept

    def _make_room(self) -> None:
        with self._lock("room"):
            self._remove_stale()
            entries = [*self._subfolder("objects").iterdir(), *self._subfolder("partial").iterdir()]
            sizes = {each: _size(each) for each in sorted(entries, key=self._last_use)}
            total = sum(sizes.values())
            for each, size in sizes.items():
                if total > self.limit and self._remove(each):
                    total -= size
            self._is_full = total > self.limit

    def _remove_stale(self) -> None:
        """Remove what was half made and given up, and keys of what has gone."""
        for half in self._subfolder("partial").iterdir():
            if _changed(half) < time.time() - PARTIAL_SECONDS:
                self._remove(half)
        for key in self._subfolder("keys").iterdir():
            digest = key.read_text()
            if not DIGEST.fullmatch(digest) or not (self._subfolder("objects") / digest).is_dir():
                key.unlink()

    def _last_use(self, entry: Path) -> float:
        """When an entry was used last; of what is half made, when that began."""
        is_half = entry.parent.name == "partial"
        return _changed(entry if is_half else self._subfolder("locks") / entry.name[:SLOT])

    def _remove(self, entry: Path) -> bool:
        """Remove an entry that nobody makes or uses. False: somebody does."""
        lock = _making(entry.name) if entry.parent.name == "partial" else entry.name[:SLOT]
        descriptor = self._open_lock(lock)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(entry)
        except (BlockingIOError, FileNotFoundError):  # or it was finished just now
            return False
        finally:
            os.close(descriptor)
        return True

    def _hold(self, digest: str, entry: Path) -> None:
        """Keep others from removing an entry, as long as this process uses little else."""
        with self._holding:
            if digest not in self._held:
                descriptor = self._open_lock(digest[:SLOT])
                fcntl.flock(descriptor, fcntl.LOCK_SH)
                self._held[digest] = (descriptor, _size(entry))
            os.utime(self._held[digest][0])  # and not the entry, which has not changed
            self._held.move_to_end(digest)
            while len(self._held) > MAX_HELD or (len(self._held) > 1 and self._held_bytes() > self.limit / SHARES):
                _, (oldest, _) = self._held.popitem(last=False)
                os.close(oldest)

    def _held_bytes(self) -> int:
        return sum(size for _, size in self._held.values())

    @contextmanager
    def _lock(self, name: str) -> Iterator[None]:
        descriptor = self._open_lock(name)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _open_lock(self, name: str) -> int:
        return os.open(self._subfolder("locks") / name, os.O_CREAT | os.O_RDWR, 0o600)

    def _subfolder(self, name: str) -> Path:
        found = self.folder / name
        found.mkdir(parents=True, exist_ok=True)
        return found


def _making(name: str) -> str:
    return f"{name[:SLOT]}.making"


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # it was finished just now
        return time.time()


def _size(folder: Path) -> int:
    """Bytes of the files in a folder, in which others may be at work."""
    total = 0
    for here, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                total += Path(here, name).stat().st_size
    return total
