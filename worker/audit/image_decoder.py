"""Reads the bytes of a job's images and decodes them, each image with its human map."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from torch import Tensor

from service.domain.job import Image
from service.inputs.references import parse_reference
from service.spec.cohort import Preprocessing
from service.telemetry.redaction import redact
from worker.audit.cache_keys import ImageFacts
from worker.inputs.decode import UnreadableImage, decode
from worker.inputs.image_bytes import skip_reason


@dataclass
class FetchedImage:
    """An image of a job whose file has been read.

    `sha256` and `human_sha256` are the digests of the image's file and of its human map's file; `content` and `human`
    are the bytes of these files. Decoding deletes the bytes and sets `values` (3, H, W) and `human_values` (H, W). The
    fields whose names begin with `human` are None if the image has no human map.
    """

    image: Image
    sha256: str
    human_sha256: str | None
    content: bytes
    human: bytes | None
    values: Tensor | None = None
    human_values: Tensor | None = None

    def facts(self, partner: "FetchedImage | None") -> ImageFacts:
        """Return the digests and the label that go into the cache key of this image's values."""
        partner_sha256 = None if partner is None else partner.sha256
        return ImageFacts(self.sha256, self.human_sha256, self.image.label, partner_sha256)


@dataclass(frozen=True)
class ImageDecoder:
    """Reads and decodes images. With `last_try`, transient errors also raise UnreadableImage."""

    read: Callable[[str], bytes]
    preprocessing: Preprocessing
    last_try: bool = False

    def fetch(self, image: Image) -> FetchedImage:
        """Read the bytes of an image and of its human map. Raises UnreadableImage, or OSError for a transient error."""
        try:
            content, human = self.read(image.path), None
            if image.human:
                with _naming_human_map(image):
                    human = self.read(image.human)
        except OSError as error:
            if not self.last_try:
                raise
            raise UnreadableImage(skip_reason(error)) from error
        return FetchedImage(image, _digest(content), None if human is None else _digest(human), content, human)

    def decode(self, fetched: FetchedImage) -> None:
        """Decode an image, and its human map with the same crop, unless this is done. Raises UnreadableImage."""
        if fetched.values is not None:
            return
        values = decode(fetched.content, self.preprocessing)
        if fetched.human is not None:
            with _naming_human_map(fetched.image):
                fetched.human_values = decode(fetched.human, self.preprocessing)[0]
        fetched.values, fetched.content, fetched.human = values, b"", None


@contextmanager
def _naming_human_map(image: Image) -> Iterator[None]:
    try:
        yield
    except UnreadableImage as error:
        called = "" if image.human is None or parse_reference(image.human) else f" {redact(image.human)}"
        raise UnreadableImage(f"its human map{called}: {error}") from error


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
