import os
import time
import tracemalloc
from pathlib import Path

import pytest

from service.errors import ImagesRefused
from service.inputs.image_sets.listing import ImageSetLocation, list_images
from worker.inputs.decode import FORMATS


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def write_manifest(folder: Path, text: str) -> Path:
    path = folder / "manifest.csv"
    path.write_text(text, encoding="utf-8")
    return path


def listed(source: Path) -> list[tuple[str, str | None]]:
    return [(entry.name, entry.label) for entry in list_images(source, [Path("/")])]


def test_images_in_one_folder_per_class_are_labelled_and_sorted_by_name(tmp_path: Path) -> None:
    touch(tmp_path, "real/b.png", "real/a.JPG", "fake/deep/c.webp", "loose.png", "real/notes.txt")
    assert listed(tmp_path) == [
        ("loose.png", None), ("fake/deep/c.webp", "fake"), ("real/a.JPG", "real"), ("real/b.png", "real"),
    ]  # fmt: skip


@pytest.mark.parametrize("kind", FORMATS)
def test_images_of_every_format_in_a_folder_are_listed(tmp_path: Path, kind: str) -> None:
    name = f"a.{kind.lower()}"
    touch(tmp_path, name)
    assert listed(tmp_path) == [(name, None)]


def test_a_manifest_gives_names_labels_and_paths_in_its_folder(tmp_path: Path) -> None:
    source = write_manifest(tmp_path, "\ufeffimage,label\na.png,real\nsub/b.png,\n")
    assert listed(source) == [("a.png", "real"), ("sub/b.png", None)]
    assert next(list_images(source, [tmp_path])).path == str(tmp_path / "a.png")


def test_spaces_after_commas_in_a_manifest_are_ignored(tmp_path: Path) -> None:
    assert listed(write_manifest(tmp_path, "image, label\na.png, real\n")) == [("a.png", "real")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,label\na.png,real\n", "column `image`"),
        ("image,label\n", "no image"),
        ("image,label\n,x\n", "line 2: the image is missing"),
        ("image\n../../etc/passwd\n", "outside"),
        ("image\na\x00b.png\n", "NUL|zero"),
        ("", "column `image`"),
    ],
)
def test_an_incomplete_manifest_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ImagesRefused, match=message):
        list(list_images(write_manifest(tmp_path, text), [tmp_path]))


@pytest.mark.parametrize("name", ["half\\ud800/a.png", "zero\\u0000/a.png", "zero.png\\u0000"])
def test_invalid_file_names_are_refused(tmp_path: Path, name: str) -> None:
    source = tmp_path / "manifest.jsonl"
    source.write_text(f'{{"image": "{name}"}}\n')
    with pytest.raises(ImagesRefused, match=r"manifest\.jsonl"):
        list(list_images(source, [tmp_path]))


def test_an_invalid_label_is_refused_with_its_line(tmp_path: Path) -> None:
    source = tmp_path / "manifest.jsonl"
    source.write_text('{"image": "a.png"}\n{"image": "b.png", "label": [1]}\n')
    with pytest.raises(ImagesRefused, match="line 2"):
        list(list_images(source, [tmp_path]))


def test_the_listing_omits_metadata_files_of_macos(tmp_path: Path) -> None:
    touch(tmp_path, "real/a.png", "real/._a.png")
    assert listed(tmp_path) == [("real/a.png", "real")]


def test_a_manifest_in_another_encoding_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "manifest.csv"
    source.write_bytes("image\nm\xfcller.png\n".encode("latin-1"))
    with pytest.raises(ImagesRefused, match="UTF-8"):
        list(list_images(source, [tmp_path]))


def test_a_file_name_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/m\xfc.png")).touch()
    with pytest.raises(ImagesRefused, match="UTF-8"):
        list(list_images(tmp_path, [tmp_path]))


def test_a_file_that_is_not_a_manifest_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no columns here")
    with pytest.raises(ImagesRefused, match="no column `image`"):
        list(list_images(tmp_path / "notes.txt", [tmp_path]))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"image;label\na.png;cat\n", "separated by commas"),
        (b'[{"image": "a.png"}]', "JSON: one object per line"),
        (b"\x89PNG\r\n\x1a\n", "is not a folder, a zip, tar or Parquet file, or a CSV file in UTF-8"),
    ],
)
def test_a_malformed_manifest_is_refused_with_the_expected_form(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "set").write_bytes(content)
    with pytest.raises(ImagesRefused, match=message):
        next(list_images(tmp_path / "set", (tmp_path,)))


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "readme.txt")
    with pytest.raises(ImagesRefused, match="no image"):
        list(list_images(tmp_path, [tmp_path]))


def test_the_listing_follows_links_to_class_folders_but_no_loops_of_links(tmp_path: Path) -> None:
    touch(tmp_path / "elsewhere", "a.png")
    touch(tmp_path / "set", "real/b.png")
    (tmp_path / "set" / "fake").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "set" / "real" / "again").symlink_to(tmp_path / "set")
    assert listed(tmp_path / "set") == [("fake/a.png", "fake"), ("real/b.png", "real")]


def test_a_link_to_itself_is_listed_as_an_image_which_the_audit_skips(tmp_path: Path) -> None:
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    assert [entry.name for entry in list_images(tmp_path, [tmp_path])] == ["loop.png"]


def test_human_maps_that_a_manifest_names_must_lie_under_the_allowed_roots(tmp_path: Path) -> None:
    source = write_manifest(tmp_path, "image,human_map\na.png,maps/a.png\nb.png,\n")
    assert [entry.human for entry in list_images(source, [tmp_path])] == [str(tmp_path / "maps/a.png"), None]
    with pytest.raises(ImagesRefused, match="human map"):
        list(list_images(write_manifest(tmp_path, "image,human_map\na.png,../../etc/x.png\n"), [tmp_path]))


def test_the_uris_of_images_do_not_contain_the_signature_of_the_manifests_url(tmp_path: Path) -> None:
    place = ImageSetLocation(write_manifest(tmp_path, "image\na.png\n"), "https://host.example/set/m.csv?sig=x/y#z/w")
    assert [entry.path for entry in list_images(place, [])] == ["https://host.example/set/a.png"]


def test_a_relative_name_in_an_uploaded_manifest_is_refused(tmp_path: Path) -> None:
    uploaded = f"artifact:sha256:{'0' * 64}"
    place = ImageSetLocation(write_manifest(tmp_path, f"image\n{tmp_path.relative_to('/')}/a.png\n"), uploaded)
    with pytest.raises(ImagesRefused, match=f"{uploaded}: .* an uploaded manifest has no folder; name images by URIs"):
        list(list_images(place, [tmp_path]))
    place = ImageSetLocation(write_manifest(tmp_path, "image\nhttps://host.example/a.png\n"), uploaded)
    assert [entry.path for entry in list_images(place, [tmp_path])] == ["https://host.example/a.png"]


def test_a_long_manifest_is_listed_quickly_and_without_storing_it(tmp_path: Path) -> None:
    rows = "".join(f"part-{n % 100}/{n}.png,{n % 10}\n" for n in range(50_000))
    source = write_manifest(tmp_path, f"image,label\n{rows}")
    start = time.monotonic()
    assert sum(1 for _ in list_images(source, [tmp_path])) == 50_000
    assert time.monotonic() - start < 5  # a manifest of a million rows takes 3 s
    tracemalloc.start()
    listed_now = list_images(source, [tmp_path])
    for _ in range(20_000):
        next(listed_now)
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert held < 500_000
