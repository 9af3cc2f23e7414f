import multiprocessing
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from worker.inputs.cache import FileCache
from worker.inputs.digests import stamp_path


def write(text: str, name: str = "file") -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        (folder / name).write_text(text)

    return make


def test_an_entry_is_created_once(tmp_path: Path) -> None:
    cache = FileCache(tmp_path)
    first = cache.get("key", write("text"))
    assert first.read_text() == "text"
    assert FileCache(tmp_path).get("key", write("other")) == first
    assert cache.get("same content", write("text")) == first


def test_an_entry_with_an_empty_key_file_is_created_again(tmp_path: Path) -> None:
    cache = FileCache(tmp_path)
    first, other = cache.get("key", write("text")), cache.get("other", write("other"))
    for key in (tmp_path / "keys").iterdir():
        key.write_text("")  # a full disk or a killed process leaves such a file
    assert FileCache(tmp_path).get("key", write("text")) == first
    assert FileCache(tmp_path).get("other", write("other")) == other


def test_the_attempt_after_a_failure_continues_with_the_partial_files(tmp_path: Path) -> None:
    cache = FileCache(tmp_path)

    def broken(folder: Path) -> None:
        (folder / "half").write_text("half")
        raise OSError("broken off")

    with pytest.raises(OSError, match="broken off"):
        cache.get("key", broken)

    def finish(folder: Path) -> None:
        (folder / "half").rename(folder / "whole")

    found = cache.get("key", finish)
    assert found.name == "whole"


def test_the_least_recently_used_entry_is_removed_unless_it_is_in_use(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from worker.inputs.cache import FileCache\n"
        "for name in sys.argv[2:]:\n"
        "    cache = FileCache(Path(sys.argv[1]), 250)\n"
        "    cache.get(name, lambda folder: (folder / 'f').write_text(name * 100) and None)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path), "a"], check=True)
    time.sleep(0.02)
    used = FileCache(tmp_path, 250)
    held = used.get("b", write("b" * 100))
    time.sleep(0.02)
    subprocess.run([sys.executable, "-c", script, str(tmp_path), "c"], check=True)
    left = {path.read_text()[0] for path in (tmp_path / "objects").rglob("f*") if path.is_file()}
    assert left == {"b", "c"}
    subprocess.run([sys.executable, "-c", script, str(tmp_path), "d"], check=True)
    assert held.exists(), "this process uses it"


def test_abandoned_entries_and_keys_without_an_entry_are_removed(tmp_path: Path) -> None:
    def broken(folder: Path) -> None:
        (folder / "half").write_text("half")
        raise OSError("broken off")

    for key in ("long ago", "just now"):
        with pytest.raises(OSError, match="broken off"):
            FileCache(tmp_path).get(key, broken)
    old = next((tmp_path / "partial").iterdir())
    os.utime(old, (0, 0))
    shutil.rmtree(FileCache(tmp_path).get("gone", write("gone")).parent)
    FileCache(tmp_path).get("key", write("text"))
    assert not old.exists()
    assert [len(list((tmp_path / name).iterdir())) for name in ("partial", "keys", "objects")] == [1, 1, 1]


def sizes(folder: Path) -> list[int]:
    return [path.stat().st_size for path in (folder / "objects").rglob("*") if path.is_file()]


def test_a_process_protects_a_fraction_of_the_limit_until_it_releases_its_entries(
    tmp_path: Path,
) -> None:
    one, two = FileCache(tmp_path, 250), FileCache(tmp_path, 250)
    for letter in "abcd":
        one.get(letter, write(letter * 100))
        assert sum(sizes(tmp_path)) <= 250, "only the last entry is protected"
    one.get("large", write("l" * 200))
    two.get("other", write("o" * 200))
    assert sum(sizes(tmp_path)) == 400, "both are in use"
    one.release()
    two.release()
    assert sizes(tmp_path) == [200]


def test_partial_entries_count_towards_the_limit_and_are_removed(tmp_path: Path) -> None:
    def broken(folder: Path) -> None:
        (folder / "half").write_text("h" * 200)
        raise OSError("broken off")

    cache = FileCache(tmp_path, 250)
    with pytest.raises(OSError, match="broken off"):
        cache.get("half", broken)
    cache.get("key", write("k" * 100))
    assert list((tmp_path / "partial").iterdir()) == []


def test_using_a_cached_folder_does_not_change_its_stamp(tmp_path: Path) -> None:
    def make(folder: Path) -> None:
        write("a", "a")(folder)
        write("b", "b")(folder)

    found = FileCache(tmp_path).get("key", make)
    stamp = stamp_path(found)
    time.sleep(0.02)
    assert stamp_path(FileCache(tmp_path).get("key", make)) == stamp


def test_content_whose_key_can_change_its_meaning_is_fetched_again_but_stored_once(
    tmp_path: Path,
) -> None:
    cache = FileCache(tmp_path)
    first = cache.get("key", write("text"), identifies=False)
    assert cache.get("key", write("text"), identifies=False) == first
    assert cache.get("key", write("other"), identifies=False).read_text() == "other"
    assert cache.hold_existing(first)
    shutil.rmtree(first.parent)
    assert not cache.hold_existing(first)


def _make(folder: Path) -> None:
    with (folder / "counted").open("a") as file:
        file.write("x")
    time.sleep(0.5)


def _get(folder: Path) -> None:
    FileCache(folder).get("key", _make)


def test_a_process_waits_while_another_process_creates_the_same_entry(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    both = [context.Process(target=_get, args=(tmp_path,)) for _ in range(2)]
    for each in both:
        each.start()
    for each in both:
        each.join()
        assert each.exitcode == 0
    assert FileCache(tmp_path).get("key", _make).read_text() == "x"
