"""Caches fetched and unpacked files on this machine's disk, by key and by content. Removes the least recently used.

The workers of a machine share the cache. One worker creates an entry under a lock, while others wait for it. An entry
that a worker uses is not removed.
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
# A full disk or a kill can leave a key file empty. Unchecked, an empty key would name the folder of all objects.
DIGEST = re.compile("[0-9a-f]{64}")
MAX_HELD = 64  # a process protects at most this many entries from removal
HELD_FRACTION = 8  # a process protects the last entry that it used, and others up to limit / HELD_FRACTION bytes
SLOT = 4  # hexadecimal digits in a lock's name; two entries with the same lock are only created one after the other
PARTIAL_SECONDS = 86400.0  # an incomplete entry is stored for this time, so that its download can resume


@dataclass
class FileCache:
    """A folder of at most `limit` bytes. Entries that are being created or used may exceed the limit."""

    folder: Path
    limit: int = 50 * GIB
    _held: "OrderedDict[str, tuple[int, int]]" = field(default_factory=OrderedDict)  # by digest: lock and size
    _holding: threading.Lock = field(default_factory=threading.Lock)  # the threads of a worker share the cache
    _is_full: bool = False  # whether the entries in use exceed the limit

    def get(self, key: str, make: Callable[[Path], None], identifies: bool = True) -> Path:
        """Return the file or folder stored under a key. If there is none, `make` creates its files in an empty folder.

        If `make` fails, the incomplete folder is stored, and the next call passes it to `make` to continue. If the key
        does not identify the content (`identifies` is False), `make` always starts with an empty folder.
        """
        name = hashlib.sha256(key.encode()).hexdigest()
        with self._lock(_creation_lock(name)):
            found = self._find(name) if identifies else None
            count_cache_request("files", found is not None)
            if found is None:
                partial = self._subfolder("partial") / name
                if partial.exists() and not identifies:
                    shutil.rmtree(partial)
                partial.mkdir(exist_ok=True)
                try:
                    make(partial)
                except InputRefused:  # a further attempt would be refused again, so the folder is of no use
                    shutil.rmtree(partial)
                    raise
                found = self._store(name, partial)
        inside = list(found.iterdir())
        return inside[0] if len(inside) == 1 and inside[0].is_file() else found

    def hold_existing(self, path: Path) -> bool:
        """Protect a path that `get` returned from removal. Return False if it no longer exists."""
        objects = self._subfolder("objects")
        if path.is_relative_to(objects):
            digest = path.relative_to(objects).parts[0]
            self._hold(digest, objects / digest)
        return path.exists()

    def release(self) -> None:
        """Stop protecting the entries that this process used."""
        with self._holding:
            for descriptor, _ in self._held.values():
                os.close(descriptor)
            self._held.clear()
        if self._is_full:
            self._make_room()

    def check_size(self, size: int, what: str) -> None:
        """Raise InputRefused for an input of `size` bytes that is larger than the cache."""
        if size > self.limit:
            raise InputRefused(
                reason=f"{what} has {size:,} bytes, more than the workers' cache of {self.limit:,} bytes; raise "
                "SALIENCE_CACHE_GIB to fetch it"
            )

    def with_source(self, text: str, source: str) -> str:
        """Replace paths in the cache by `source`, the URI of the cached file, without the URI's secrets."""
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

    def _store(self, name: str, partial: Path) -> Path:
        digest = digest_path(partial)
        self._hold(digest, partial)
        stored = self._subfolder("objects") / digest
        if stored.exists():
            shutil.rmtree(partial)
        else:
            partial.rename(stored)
        (self._subfolder("keys") / name).write_text(digest)
        self._make_room()
        return stored

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
        """Remove abandoned incomplete entries, and keys whose entry no longer exists."""
        for partial in self._subfolder("partial").iterdir():
            if _changed(partial) < time.time() - PARTIAL_SECONDS:
                self._remove(partial)
        for key in self._subfolder("keys").iterdir():
            digest = key.read_text()
            if not DIGEST.fullmatch(digest) or not (self._subfolder("objects") / digest).is_dir():
                key.unlink()

    def _last_use(self, entry: Path) -> float:
        """Return when an entry was last used, or when an incomplete entry was started, in seconds since 1970."""
        is_partial = entry.parent.name == "partial"
        return _changed(entry if is_partial else self._subfolder("locks") / entry.name[:SLOT])

    def _remove(self, entry: Path) -> bool:
        """Remove an entry unless a process creates or uses it. Return whether it was removed."""
        lock = _creation_lock(entry.name) if entry.parent.name == "partial" else entry.name[:SLOT]
        descriptor = self._open_lock(lock)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(entry)
        except (BlockingIOError, FileNotFoundError):  # FileNotFoundError: a process just finished the entry
            return False
        finally:
            os.close(descriptor)
        return True

    def _hold(self, digest: str, entry: Path) -> None:
        """Protect an entry from removal until this process has used many others."""
        with self._holding:
            if digest not in self._held:
                descriptor = self._open_lock(digest[:SLOT])
                fcntl.flock(descriptor, fcntl.LOCK_SH)
                self._held[digest] = (descriptor, _size(entry))
            # The lock's time is the time of last use: a change of the entry's own time would change its stamp.
            os.utime(self._held[digest][0])
            self._held.move_to_end(digest)
            while len(self._held) > MAX_HELD or (
                len(self._held) > 1 and self._held_bytes() > self.limit / HELD_FRACTION
            ):
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


def _creation_lock(name: str) -> str:
    return f"{name[:SLOT]}.making"


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # a process just finished the entry
        return time.time()


def _size(folder: Path) -> int:
    """Return the total size of the files in a folder in bytes. Other processes may be removing files from it."""
    total = 0
    for here, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                total += Path(here, name).stat().st_size
    return total
