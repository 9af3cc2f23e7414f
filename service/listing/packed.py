"""Zip and tar archives of pictures, and WebDataset shards: tars in which files of one key are one sample.

Nothing is extracted: a picture's reference is its place in the archive.
"""

import json
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import PurePosixPath
from typing import Any

from service.archives import MOST_MEMBERS, check_inflation, check_member, check_tar_member
from service.errors import ImagesRefused
from service.listing.entry import SUFFIXES, ImageEntry, SetPlace, is_picture, text_of
from service.references import Member
from service.transient import is_transient

MOST_TEXT = 1_000_000  # bytes of a sample's label or description
HUMAN = "human_map"


def list_zip(place: SetPlace) -> Iterator[ImageEntry]:
    """The pictures in the archive's order, labelled by the first folder in it."""
    try:
        with zipfile.ZipFile(place.path) as archive:
            members = archive.infolist()
            if len(members) > MOST_MEMBERS:
                raise ImagesRefused(reason=f"{place.source} has more than {MOST_MEMBERS:,} members; make it several")
            check_inflation(place.path, members)
            for member in members:
                check_member(place.path, member.filename)
            names = [member.filename for member in members if not member.is_dir() and is_picture(member.filename)]
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError) as error:
        if is_transient(error):
            raise
        raise ImagesRefused(reason=f"{place.source} is a damaged zip file: {error}") from error
    top = _common_folder(names)
    for name in names:
        yield ImageEntry(name[len(top) :], _folder_of(name[len(top) :]), str(Member("zip", place.source, name)))


def list_tar(place: SetPlace) -> Iterator[ImageEntry]:
    """The pictures in the archive's order: of samples where it has labels by key, else labelled by the first folder."""
    if _has_samples(place):
        for _, files in groupby(_files(place), key=lambda each: each.key):
            yield from _sample(place, list(files))
        return
    top = _common_folder(file.name for file in _files(place) if is_picture(file.name))
    for file in _files(place):
        if is_picture(file.name):
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

    def reference(self, place: SetPlace) -> str:
        """Where it is."""
        return str(Member("tar", place.source, f"{self.offset}+{self.size}"))


def _files(place: SetPlace) -> Iterator[_File]:
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
    if not member.name.endswith((".cls", ".json", ".txt")) or member.size > MOST_TEXT:
        return None
    file = archive.extractfile(member)
    return file.read() if file else None


def _has_samples(place: SetPlace) -> bool:
    """Whether the first sample of a tar has a label or a description beside its picture."""
    for _, files in groupby(_files(place), key=lambda each: each.key):
        found = list(files)
        if any(is_picture(file.name) for file in found):
            return any(file.extension in ("cls", "json") for file in found)
    return False


def _sample(place: SetPlace, files: list[_File]) -> Iterator[ImageEntry]:
    pictures = [file for file in files if f".{file.extension}" in SUFFIXES]
    humans = [file.reference(place) for file in files if file.extension.startswith(f"{HUMAN}.")]
    label = _label(place, files)
    for file in pictures:
        yield ImageEntry(file.name, label, file.reference(place), humans[0] if humans else None)


def _label(place: SetPlace, files: Iterable[_File]) -> str | None:
    by_extension = {file.extension: file for file in files}
    if (label := by_extension.get("cls")) and label.content is not None:
        return label.content.decode(errors="replace").strip() or None
    if (said := by_extension.get("json")) and said.content is not None:
        try:
            row = json.loads(said.content)
        except (ValueError, RecursionError) as error:
            raise ImagesRefused(reason=f"{place.source}: {said.name} is not JSON: {error}") from error
        return text_of(row.get("label")) if isinstance(row, dict) else None
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
