"""Lists zip and tar archives of images, and WebDataset shards: tar files in which files with one key form a sample.

Nothing is extracted: the reference of an image is its place in the archive.
"""

import json
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import PurePosixPath
from typing import Any

from service.errors import ImagesRefused
from service.errors.transient import is_transient
from service.inputs.archives import MAX_MEMBERS, check_compression, check_member, check_tar_member
from service.inputs.image_sets.entry import SUFFIXES, ImageEntry, ImageSetLocation, is_image, to_text
from service.inputs.references import ArchiveMember

MAX_TEXT_BYTES = 1_000_000  # largest size of the label or the description of a sample
HUMAN = "human_map"


def list_zip(location: ImageSetLocation) -> Iterator[ImageEntry]:
    """List the images in the archive's order, labelled by their first folder."""
    try:
        with zipfile.ZipFile(location.path) as archive:
            members = archive.infolist()
            if len(members) > MAX_MEMBERS:
                raise ImagesRefused(reason=f"{location.source} has more than {MAX_MEMBERS:,} members; split it")
            check_compression(location.path, members)
            for member in members:
                check_member(location.path, member.filename)
            names = [member.filename for member in members if not member.is_dir() and is_image(member.filename)]
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError) as error:
        if is_transient(error):
            raise
        raise ImagesRefused(reason=f"{location.source} is a damaged zip file: {error}") from error
    top = _common_folder(names)
    for name in names:
        reference = ArchiveMember("zip", location.source, name)
        yield ImageEntry(name[len(top) :], _first_folder(name[len(top) :]), str(reference))


def list_tar(location: ImageSetLocation) -> Iterator[ImageEntry]:
    """List the images in the archive's order, labelled by their WebDataset samples, or else by their first folder."""
    if _has_samples(location):
        for _, files in groupby(_files(location), key=lambda each: each.key):
            yield from _sample(location, list(files))
        return
    top = _common_folder(file.name for file in _files(location) if is_image(file.name))
    for file in _files(location):
        if is_image(file.name):
            name = file.name[len(top) :]
            yield ImageEntry(name, _first_folder(name), file.reference(location))


@dataclass(frozen=True)
class _File:
    """A file in a tar archive. `content` is read for short texts only."""

    name: str
    offset: int
    size: int
    content: bytes | None = None

    @property
    def key(self) -> str:
        """The path up to the first dot in the file's name, which WebDataset calls the key of a sample."""
        folder, slash, last = self.name.rpartition("/")
        return f"{folder}{slash}{last.partition('.')[0]}"

    @property
    def extension(self) -> str:
        """The part of the file's name after the first dot, in lower case."""
        return self.name.rpartition("/")[2].partition(".")[2].lower()

    def reference(self, location: ImageSetLocation) -> str:
        """Return the text by which a worker finds the file again: the archive, and the file's offset and size."""
        return str(ArchiveMember("tar", location.source, f"{self.offset}+{self.size}"))


def _files(location: ImageSetLocation) -> Iterator[_File]:
    try:
        with tarfile.open(location.path, "r:", ignore_zeros=False) as archive:
            for member in archive:
                check_tar_member(location.path, member)
                if member.isfile():
                    name = str(PurePosixPath(member.name))
                    yield _File(name, member.offset_data, member.size, _text(archive, member))
                untyped: Any = archive
                untyped.members = []  # otherwise tarfile keeps all members in memory
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        if is_transient(error):
            raise
        raise ImagesRefused(reason=f"{location.source} is a damaged tar file: {error}") from error


def _text(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes | None:
    if not member.name.endswith((".cls", ".json", ".txt")) or member.size > MAX_TEXT_BYTES:
        return None
    file = archive.extractfile(member)
    return file.read() if file else None


def _has_samples(location: ImageSetLocation) -> bool:
    """Return whether the first sample with an image also has a label or a description."""
    for _, files in groupby(_files(location), key=lambda each: each.key):
        found = list(files)
        if any(is_image(file.name) for file in found):
            return any(file.extension in ("cls", "json") for file in found)
    return False


def _sample(location: ImageSetLocation, files: list[_File]) -> Iterator[ImageEntry]:
    images = [file for file in files if f".{file.extension}" in SUFFIXES]
    humans = [file.reference(location) for file in files if file.extension.startswith(f"{HUMAN}.")]
    by_extension = {file.extension: file for file in files}
    row = _description(location, by_extension.get("json"))
    label = to_text(row.get("label"))
    if (plain := by_extension.get("cls")) and plain.content is not None:
        label = plain.content.decode(errors="replace").strip() or None
    groups = tuple(to_text(row.get(name)) for name in location.groups)
    for file in images:
        yield ImageEntry(file.name, label, file.reference(location), humans[0] if humans else None, groups)


def _description(location: ImageSetLocation, file: _File | None) -> dict[str, Any]:
    """Return the JSON object in a sample's description, empty if there is none."""
    if file is None or file.content is None:
        return {}
    try:
        row = json.loads(file.content)
    except (ValueError, RecursionError) as error:
        raise ImagesRefused(reason=f"{location.source}: {file.name} is not JSON: {error}") from error
    return row if isinstance(row, dict) else {}


def _first_folder(name: str) -> str | None:
    return name.partition("/")[0] if "/" in name else None


def _common_folder(names: Iterable[str]) -> str:
    """Return `TOP/` if every name has the form `TOP/FOLDER/...` with the same TOP, or else an empty string."""
    top: str | None = None
    for name in names:
        first, _, rest = name.partition("/")
        if "/" not in rest or top not in (None, first):
            return ""
        top = first
    return f"{top}/" if top else ""
