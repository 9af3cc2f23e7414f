import socket
import zipfile
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from service.errors import ModelRefused
from tests.support.models import TinyNet, save_archive
from tests.support.script_archives import SMALL, script
from worker.models import architectures
from worker.models.code_safety import check_code
from worker.models.load import load_classifier


class ReadsAFile(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.mean((2, 3)) + torch.from_file("/etc/hostname", False, 3, dtype=torch.uint8)


class WritesAFile(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        torch.save(images, "/tmp/written")
        return images.mean((2, 3))


@pytest.mark.parametrize(("model", "operator"), [(ReadsAFile(), "aten::from_file"), (WritesAFile(), "aten::save")])
def test_an_archive_that_opens_files_is_refused_and_the_message_names_the_operator(
    tmp_path: Path, model: nn.Module, operator: str
) -> None:
    with pytest.raises(ModelRefused, match=operator):
        load_classifier(script(model, tmp_path / "m.pt"), SMALL, 2)


def edit(path: Path, source: str) -> Path:
    """Replace the body of the method `forward` in the code of an archive."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = next(name for name in members if "/code/" in name and name.endswith(".py"))
    head, _, _ = members[name].decode().partition("    return")
    members[name] = f"{head}{source}".encode()
    with zipfile.ZipFile(path, "w") as archive:
        for each, data in members.items():
            archive.writestr(each, data)
    return path


class Plain(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.mean((2, 3))


@pytest.mark.parametrize(
    ("line", "operator"),
    [
        ('_0 = ops.aten.from_file("/etc/hostname", False, 3)', "aten::from_file"),
        ('images.save("/tmp/written")', "aten::save"),
        ('getattr(images, "save")("/tmp/written")', "aten::save"),
        ('_0 = rpc_async("other", images)', "prim::rpc_async"),
        ("_0 = ops.c10d.send([images], 1)", "c10d::send"),
        ('_0 = ops.image.read_file("/etc/hostname")', "image::read_file"),
        ("_0 = __torch__.torch.classes.dist_c10d.Store()", "dist_c10d"),
    ],
)
def test_code_written_by_hand_is_refused_before_it_is_compiled(tmp_path: Path, line: str, operator: str) -> None:
    path = edit(script(Plain(), tmp_path / "m.pt"), f"    {line}\n    return images\n")
    with pytest.raises(ModelRefused, match=operator):
        load_classifier(path, SMALL, 2)


def test_code_with_a_syntax_error_is_refused(tmp_path: Path) -> None:
    path = edit(script(Plain(), tmp_path / "m.pt"), "    return images +\n")
    with pytest.raises(ModelRefused, match="damaged"):
        load_classifier(path, SMALL, 2)


def test_an_archive_cannot_open_a_connection(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        port = server.getsockname()[1]
        line = f'_0 = __torch__.torch.classes.dist_c10d.TCPStore("127.0.0.1", {port})'
        path = edit(script(Plain(), tmp_path / "m.pt"), f"    {line}\n    return images\n")
        with pytest.raises(ModelRefused, match="dist_c10d"):
            load_classifier(path, SMALL, 2)
        with pytest.raises(TimeoutError):
            server.accept()


@pytest.mark.parametrize("name", ["googlenet", "shufflenet_v2_x0_5"])
def test_scripted_and_traced_code_of_real_models_is_allowed(tmp_path: Path, name: str) -> None:
    model = architectures.build(f"torchvision/{name}", 2).eval()
    check_code(script(model, tmp_path / "scripted.pt"))
    check_code(save_archive(model, tmp_path / "traced.pt", 64))


@pytest.mark.parametrize("name", ["torchvision/efficientnet_b0", "timm/test_vit", "timm/test_resnet"])
def test_code_for_training_and_attention_is_allowed(tmp_path: Path, name: str) -> None:
    check_code(script(architectures.build(name, 2).eval(), tmp_path / "m.pt"))


class Resized(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        larger = nn.functional.interpolate(images, scale_factor=2.0, mode="nearest")
        smaller = nn.functional.interpolate(larger, size=[8, 8], mode="bicubic", antialias=True)
        return nn.functional.interpolate(smaller, size=[16, 16], mode="bilinear").mean((2, 3))


def test_a_scripted_or_traced_model_may_resize_its_images(tmp_path: Path) -> None:
    check_code(script(Resized(), tmp_path / "scripted.pt"))
    check_code(save_archive(Resized(), tmp_path / "traced.pt", 16))


class NamedOddly(nn.Module):
    """A model with attributes that are named like functions of Python and operators of TorchScript."""

    def __init__(self) -> None:
        super().__init__()
        self.min, self.range, self.ops = 0.0, [1.0, 2.0], nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU())

    def sum(self, images: Tensor) -> Tensor:
        moved: Tensor = self.ops(images)
        return moved.clamp(min=self.min)

    def forward(self, images: Tensor) -> Tensor:
        max = self.sum(images).amax()
        id, ops = len(self.range), images * 2
        return self.sum(ops).mean((2, 3)) + max * id


def test_a_models_attributes_may_have_names_of_python_functions_and_torchscript_operators(tmp_path: Path) -> None:
    check_code(script(NamedOddly(), tmp_path / "m.pt"))


def test_an_archive_that_is_a_compression_bomb_is_refused(tmp_path: Path) -> None:
    path = save_archive(TinyNet(0), tmp_path / "m.pt", 16)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m/data/99", bytes(200 * 2**20))
    with pytest.raises(Exception, match="would grow"):
        load_classifier(path, SMALL, 2)
