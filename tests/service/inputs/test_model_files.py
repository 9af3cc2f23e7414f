import zipfile
from pathlib import Path

import pytest

from service.errors import ModelRefused
from service.inputs.model_files import ModelFiles, detect_format, find_model


def archive(path: Path, *names: str) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name in names:
            file.writestr(name, "x")
    return path


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (["m/data.pkl", "m/data/0"], "checkpoint"),
        (["m/data.pkl", "m/constants.pkl", "m/code/__torch__.py"], "torchscript"),
        (["m/archive_format", "m/models/model.json"], "exported"),
        (["version", "serialized_exported_program.json"], "exported"),
        (["vit/config.json", "vit/model.safetensors"], "packed"),
    ],
)
def test_the_format_of_an_archive_follows_from_its_content(tmp_path: Path, names: list[str], kind: str) -> None:
    assert detect_format(archive(tmp_path / "any.name", *names)) == kind


def test_a_file_that_begins_like_a_pickle_is_a_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "m.pth"
    path.write_bytes(b"\x80\x02rest")
    assert detect_format(path) == "checkpoint"


@pytest.mark.parametrize("content", [b"", b"\x08", b"hello", b"PK\x03\x04cut short"])
def test_a_file_that_is_not_a_model_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.pt"
    path.write_bytes(content)
    with pytest.raises(ModelRefused, match=r"m\.pt"):
        detect_format(path)


def test_a_folder_is_no_model_file_and_an_archive_of_an_unknown_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match="not a file"):
        detect_format(tmp_path)
    with pytest.raises(ModelRefused, match="no known model format"):
        detect_format(archive(tmp_path / "docs.zip", "readme.txt"))


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"\x10\0\0\0\0\0\0\0{" + b" " * 20, "checkpoint"),
        (b"\x08\x07\x12\x07pytorch", "onnx"),
        (b"\x1f\x8b\x08\0rest", "packed"),
        (b"x" * 257 + b"ustar" + bytes(250), "packed"),
    ],
)
def test_the_format_of_a_file_follows_from_its_first_bytes(tmp_path: Path, content: bytes, kind: str) -> None:
    path = tmp_path / "any.name"
    path.write_bytes(content)
    assert detect_format(path) == kind


def folder(path: Path, config: str, *files: str) -> Path:
    path.mkdir(parents=True)
    (path / "config.json").write_text(config)
    for name in files:
        (path / name).write_bytes(b"\x10\0\0\0\0\0\0\0{" + b" " * 20)
    return path


def test_the_format_of_a_folder_follows_from_its_configuration(tmp_path: Path) -> None:
    whole = folder(tmp_path / "hf", '{"model_type": "vit"}', "model.safetensors")
    assert find_model(whole) == ModelFiles(whole, "transformers", config=whole)
    timm = folder(tmp_path / "timm", '{"architecture": "resnet18"}', "model.safetensors")
    assert find_model(timm) == ModelFiles(timm / "model.safetensors", "checkpoint", "timm/resnet18", timm)


def test_an_mlflow_folder_has_the_format_of_the_model_in_it(tmp_path: Path) -> None:
    (tmp_path / "MLmodel").write_text("flavors: {}")
    inner = folder(tmp_path / "model", '{"model_type": "vit"}', "model.safetensors")
    assert find_model(tmp_path).path == inner
    archive(tmp_path / "data.pt2", "m/models/model.json")
    assert find_model(tmp_path).format == "transformers"


@pytest.mark.parametrize(
    ("config", "files", "message"),
    [
        ('{"model_type": "vit"}', [], "safetensors"),
        ("{}", ["model.safetensors"], "model_type"),
        ("[]", ["model.safetensors"], "not a JSON object"),
        ("{", ["model.safetensors"], "not JSON"),
        ("[" * 100_000, ["model.safetensors"], "not JSON"),
    ],
)
def test_a_folder_without_a_model_is_refused_with_the_name_of_the_missing_file(
    tmp_path: Path, config: str, files: list[str], message: str
) -> None:
    with pytest.raises(ModelRefused, match=message):
        find_model(folder(tmp_path / "m", config, *files))
