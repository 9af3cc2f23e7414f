"""Lists and reads Parquet files with a column of image bytes, as in Hugging Face datasets, or of references."""

import json
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from service.errors import ImagesRefused, InputRefused
from service.errors.transient import is_transient
from service.inputs.image_sets.entry import ImageEntry, ImageSetLocation, ReferenceResolver, to_text
from service.inputs.references import ArchiveMember

BATCH_ROWS = 8192
MAX_ROW_GROUP_BYTES = 4 * 2**30
COLUMNS = ("image", "label", "human_map")


def list_table(location: ImageSetLocation, roots: Sequence[Path]) -> Iterator[ImageEntry]:
    """List the rows of a Parquet file in order. Raises ImagesRefused."""
    if find_spec("pyarrow") is None:
        raise ImagesRefused(reason=f"{location.source} is a Parquet file; install the worker's extra `formats`")
    try:
        yield from _list(location, roots)
    except ImagesRefused:
        raise
    except _errors() as error:
        raise _damaged(location.source, error) from error
    except OSError as error:  # Arrow raises this for an unreadable footer
        if is_transient(error):
            raise
        raise _damaged(location.source, error) from error


def _damaged(source: object, error: Exception) -> ImagesRefused:
    return ImagesRefused(reason=f"{source} is a damaged Parquet file: {error}")


def read_cell(path: Path, inner: str) -> bytes:
    """Read the bytes at `row group/row/column`. Raises ImagesRefused, or OSError if the cell has no bytes."""
    group, row, column = inner.split("/", 2)
    try:
        value = _column(path, path.stat().st_mtime_ns, int(group), column)[int(row)].as_py()
    except _errors() as error:
        raise _damaged(path, error) from error
    content = value["bytes"] if isinstance(value, dict) else value
    if not isinstance(content, bytes):
        raise OSError("the row contains no image")
    return content


def _list(location: ImageSetLocation, roots: Sequence[Path]) -> Iterator[ImageEntry]:
    import pyarrow.parquet as parquet

    resolve, number = ReferenceResolver(location, roots), 0
    with parquet.ParquetFile(location.path) as file:
        schema = file.schema_arrow
        _check_schema(location, schema)
        wanted = (*COLUMNS, *location.groups)
        columns = [part for name in wanted if name in schema.names for part in _columns_to_list(schema.field(name))]
        classes = _class_names(schema)
        for group in range(file.num_row_groups):
            first = number
            for batch in file.iter_batches(BATCH_ROWS, row_groups=[group], columns=columns):
                for row in batch.to_pylist():
                    entry = _entry(row, number, _locate(location, resolve, group, number - first), classes)
                    yield entry._replace(groups=_groups(row, number, location.groups))
                    number += 1
            # Without any listed column, Arrow yields no rows.
            if number - first < file.metadata.row_group(group).num_rows:
                raise ImagesRefused(
                    reason=f"{location.source} has rows without a path or label, which cannot be listed"
                )


def _check_schema(location: ImageSetLocation, schema: Any) -> None:
    if "image" not in schema.names:
        raise ImagesRefused(
            reason=f"{location.source} has no column `image`; its columns are {', '.join(schema.names[:10])}"
        )
    for name in ("image", "human_map"):
        if name in schema.names:
            _check_type(location, name, schema.field(name).type)
    location.check_columns(schema.names)


def _check_type(location: ImageSetLocation, name: str, given: Any) -> None:
    import pyarrow as arrow

    plain = given.value_type if arrow.types.is_dictionary(given) else given
    text = plain in (arrow.string(), arrow.large_string(), arrow.string_view(), arrow.null())
    if not text and not (arrow.types.is_struct(plain) and {"bytes", "path"} <= {each.name for each in plain}):
        raise ImagesRefused(
            reason=f"{location.source}: the column {name!r} has the type {given}; write paths as text, or images as a "
            "struct of bytes and path"
        )


def _columns_to_list(field: Any) -> list[str]:
    """Return the names of the columns to read for a listing, which needs paths but no image bytes."""
    if _holds_bytes(field):
        return [f"{field.name}.path"]
    return [field.name]


def _holds_bytes(field: Any) -> bool:
    import pyarrow as arrow

    return arrow.types.is_struct(field.type) and "bytes" in {each.name for each in field.type}


def _entry(
    row: dict[str, Any], number: int, locate: Callable[[str, Any], str | None], classes: Sequence[str] | None
) -> ImageEntry:
    image, label = row.get("image"), row.get("label")
    path = locate("image", image)
    if path is None:
        raise ImagesRefused(reason=f"row {number} has no image")
    if classes and isinstance(label, int):
        label = classes[label] if 0 <= label < len(classes) else None
    if isinstance(image, dict):
        own = str(image.get("path") or "").rpartition("/")[2]
        name = f"{number:08d}-{own}" if own else f"{number:08d}"
    else:
        name = str(image)
    try:
        return ImageEntry(name, to_text(label), path, locate("human_map", row.get("human_map")))
    except InputRefused as refused:
        raise ImagesRefused(reason=f"row {number}: {refused}") from refused


def _groups(row: dict[str, Any], number: int, names: Sequence[str]) -> tuple[str | None, ...]:
    try:
        return tuple(to_text(row.get(name)) for name in names)
    except InputRefused as refused:
        raise ImagesRefused(reason=f"row {number}: {refused}") from refused


def _locate(
    location: ImageSetLocation, resolve: Callable[[str], str], group: int, row: int
) -> Callable[[str, Any], str | None]:
    def locate(column: str, value: Any) -> str | None:
        if isinstance(value, dict):
            return str(ArchiveMember("parquet", location.source, f"{group}/{row}/{column}"))
        return resolve(value) if value else None

    return locate


def _class_names(schema: Any) -> Sequence[str] | None:
    """Return the class names by number, from Hugging Face's metadata, or None."""
    metadata = (schema.metadata or {}).get(b"huggingface")
    try:
        names = json.loads(metadata)["info"]["features"]["label"]["names"] if metadata else None
    except (ValueError, KeyError, TypeError):
        return None
    return [str(name) for name in names] if isinstance(names, list) else None


@lru_cache(maxsize=4)
def _column(path: Path, _changed: int, group: int, column: str) -> Any:
    import pyarrow.parquet as parquet

    with parquet.ParquetFile(path) as file:
        size = file.metadata.row_group(group).total_byte_size
        if size > MAX_ROW_GROUP_BYTES:
            raise ImagesRefused(reason=f"{path} has a row group of {size:,} bytes; write it with smaller row groups")
        return file.read_row_group(group, columns=[column]).column(0)


def _errors() -> tuple[type[Exception], ...]:
    import pyarrow as arrow

    return (arrow.ArrowException, IndexError, KeyError)
