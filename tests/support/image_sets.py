"""Converts a folder of images into each format of image sets, and stores artifacts."""

import asyncio
import csv
import io
import json
import tarfile
import zipfile
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from service.artifacts.store import ArtifactStore
from worker.inputs.resolver import InputResolver


def images_of(folder: Path) -> list[tuple[str, str, bytes]]:
    """Return the name, the label and the bytes of each image in a folder with one subfolder per class."""
    found = sorted(path for path in folder.rglob("*.png"))
    return [(str(path.relative_to(folder)), path.parent.name, path.read_bytes()) for path in found]


def as_zip(folder: Path, out: Path) -> Path:
    path = out / "set.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, _, content in images_of(folder):
            archive.writestr(f"packed/{name}", content)
    return path


def as_tar(folder: Path, out: Path) -> Path:
    path = out / "set.tar"
    with tarfile.open(path, "w") as archive:
        for name, _, content in images_of(folder):
            add(archive, name, content)
    return path


def as_packed_tar(folder: Path, out: Path) -> Path:
    path = out / "set.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(folder, "packed")
    return path


def as_webdataset(folder: Path, out: Path) -> Path:
    """Write a WebDataset of two shards: the first has labels in .json files, the second in .cls files."""
    shards = out / "shards"
    shards.mkdir()
    for shard in (0, 1):
        with tarfile.open(shards / f"{shard:05d}.tar", "w") as archive:
            for number, (_, label, content) in enumerate(images_of(folder)[shard::2]):
                label_file = {"cls": label.encode()} if shard else {"json": json.dumps({"label": label}).encode()}
                for extension, data in ({"png": content} | label_file).items():
                    add(archive, f"{number:06d}.{extension}", data)
    return shards


def as_csv(folder: Path, out: Path) -> Path:
    path = out / "set.csv"
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["label", "image"])
        rows.writerows([label, (folder / name).as_uri()] for name, label, _ in images_of(folder))
    return path


def as_json_lines(folder: Path, out: Path) -> Path:
    path = folder / "set.jsonl"
    lines = [json.dumps({"image": name, "label": label}) for name, label, _ in images_of(folder)]
    path.write_text("\n".join(lines) + "\n")
    return path


def as_parquet_manifest(folder: Path, out: Path) -> Path:
    path = out / "manifest.parquet"
    names, labels, _ = zip(*images_of(folder), strict=True)
    pq.write_table(pa.table({"image": [str(folder / name) for name in names], "label": labels}), path)
    return path


def as_parquet(folder: Path, out: Path) -> Path:
    """Write a Parquet file as Hugging Face does: image bytes are in a struct, and class names in the metadata."""
    names, labels, contents = zip(*images_of(folder), strict=True)
    classes = sorted(set(labels))
    image = pa.array([{"bytes": c, "path": n} for c, n in zip(contents, names, strict=True)])
    table = pa.table({"image": image, "label": [classes.index(label) for label in labels]})
    features = {"image": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": classes}}
    table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    path = out / "train-00000-of-00001.parquet"
    pq.write_table(table, path, row_group_size=5)
    return path


def add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


WAYS: Mapping[str, Callable[[Path, Path], Path]] = {
    "zip": as_zip,
    "tar": as_tar,
    "packed tar": as_packed_tar,
    "webdataset": as_webdataset,
    "csv": as_csv,
    "json lines": as_json_lines,
    "parquet manifest": as_parquet_manifest,
    "parquet": as_parquet,
}


def upload(place: ArtifactStore, content: bytes) -> str:
    """Store bytes as an artifact. Returns the artifact's URI."""

    async def parts() -> AsyncIterator[bytes]:
        yield content

    return asyncio.run(place.store(parts(), None, 2**20)).uri


def model_at(places: InputResolver, source: str) -> Path:
    """Return the path of the local file or folder that holds the model at a URI."""
    with places.model(source) as path:
        return path
