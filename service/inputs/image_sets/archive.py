"""Zip and tar archives of images, and WebDataset shards: tars in which files of one key are one sample.

Nothing is extracted: an image's reference is its place in the archive.
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

MAX_TEXT_BYTES = 1_000_000  # bytes of a sample's label or description
HUMAN = "human_map"


def list_zip(place: ImageSetLocation) -> Iterator[ImageEntry]:
    """The images in the archive's order, labelled by the first folder in it."""
    try:
        with zipfile.ZipFile(place.path) as archive:
            members = archive.infolist()
            if len(members) > MAX_MEMBERS:
                raise ImagesRefused(reason=f"{place.source} has more than {MAX_MEMBERS:,} members; make it several")
            check_compression(place.path, members)
            for member in members:
                check_member(place.path, member.filename)
            names = [member.filename for member in members if not member.is_dir() and is_image(member.filename)]
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError) as error:
        if is_transient(error):
            raise
        raise ImagesRefused(reason=f"{place.source} is a damaged zip file: {error}") from error
    top = _common_folder(names)
    for name in names:
        yield ImageEntry(name[len(top) :], _folder_of(name[len(top) :]), str(ArchiveMember("zip", place.source, name)))


def list_tar(place: ImageSetLocation) -> Iterator[ImageEntry]:
    """The images in the archive's order: of samples where it has labels by key, else labelled by the first folder."""
    if _has_samples(place):
        for _, files in groupby(_files(place), key=lambda each: each.key):
            yield from _sample(place, list(files))
        return
    top = _common_folder(file.name for file in _files(place) if is_image(file.name))
    for file in _files(place):
        if is_image(file.name):
            name = file.name[len(top) :]
            yield ImageEntry(name, _folder_of(name), file.reference(place))


@dataclass(frozen=True)
class _File:
    """A file in a tar. `content` is there for short texts only."""

    name: str
    offset: int
    size: int
    content: bytes | None = None

    @property
    def key(self) -> str:
        """All before the first dot of the last part, as WebDataset has it."""
        folder, slash, last = self.name.rpartition("/")
        return f"{folder}{slash}{last.partition('.')[0]}"

    @property
    def extension(self) -> str:
        """All after it."""
        return self.name.rpartition("/")[2].partition(".")[2].lower()

    def reference(self, place: ImageSetLocation) -> str:
        """Where it is."""
        return str(ArchiveMember("tar", place.source, f"{self.offset}+{self.size}"))


def _files(place: ImageSetLocation) -> Iterator[_File]:
    try:
        with tarfile.open(place.path, "r:", ignore_zeros=False) as archive:
            for member in archive:
                check_tar_member(place.path, member)
                if member.isfile():
                    name = str(PurePosixPath(member.name))
                    yield _File(name, member.offset_data, member.size, _text(archive, member))
                kept: Any = archive
                kept.members = []  # or it would keep them all
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        if is_transient(error):
            raise
        raise ImagesRefused(reason=f"{place.source} is a damaged tar file: {error}") from error


def _text(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes | None:
    if not member.name.endswith((".cls", ".json", ".txt")) or member.size > MAX_TEXT_BYTES:
        return None
    file = archive.extractfile(member)
    return file.read() if file else None


def _has_samples(place: ImageSetLocation) -> bool:
    """Whether the first sample of a tar has a label or a description beside its image."""
    for _, files in groupby(_files(place), key=lambda each: each.key):
        found = list(files)
        if any(is_image(file.name) for file in found):
            return any(file.extension in ("cls", "json") for file in found)
    return False


def _sample(place: ImageSetLocation, files: list[_File]) -> Iterator[ImageEntry]:
    images = [file for file in files if f".{file.extension}" in SUFFIXES]
    humans = [file.reference(place) for file in files if file.extension.startswith(f"{HUMAN}.")]
    label = _label(place, files)
    for file in images:
        yield ImageEntry(file.name, label, file.reference(place), humans[0] if humans else None)


def _label(place: ImageSetLocation, files: Iterable[_File]) -> str | None:
    by_extension = {file.extension: file for file in files}
    if (label := by_extension.get("cls")) and label.content is not None:
        return label.content.decode(errors="replace").strip() or None
    if (said := by_extension.get("json")) and said.content is not None:
        try:
            row = json.loads(said.content)
        except (ValueError, RecursionError) as error:
            raise ImagesRefused(reason=f"{place.source}: {said.name} is not JSON: {error}") from error
        return to_text(row.get("label")) if isinstance(row, dict) else None
    return None


def _folder_of(name: str) -> str | None:
    return name.partition("/")[0] if "/" in name else None


def _common_folder(names: Iterable[str]) -> str:
    """The one folder, with its slash, in which all names lie in folders below it, as in a packed folder."""
    top: str | None = None
    for name in names:
        first, _, rest = name.partition("/")
        if "/" not in rest or top not in (None, first):
            return ""
        top = first
    return f"{top}/" if top else ""
