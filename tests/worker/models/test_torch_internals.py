"""Checks the private parts of torch. Each failure says what the part does and what can replace it."""

import re
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.support.models import TinyNet, save_archive
from worker.models import torch_internals
from worker.models.graph import freeze

ROOT = Path(__file__).parents[3]
PRIVATE = re.compile(r"torch\._[a-zA-Z]|from torch\._|\._c\b|\._metadata\b")


def advice(what: str, use: str, remedy: str) -> str:
    """Return the message of a failure."""
    return (
        f"torch {torch.__version__} changed {what}. {use} Adapt worker/models/torch_internals.py: {remedy} "
        "Then run tests/worker/models."
    )


def test_only_one_module_names_private_parts_of_torch() -> None:
    files = [path for top in ("worker", "service", "salience") for path in (ROOT / top).rglob("*.py")]
    naming = [str(path.relative_to(ROOT)) for path in files if PRIVATE.search(path.read_text())]
    assert naming == ["worker/models/torch_internals.py"], (
        "Move each private part of torch into worker/models/torch_internals.py, and test it in this file."
    )


def test_an_operator_with_one_signature_has_the_expected_type() -> None:
    assert isinstance(torch.ops.aten.add.Tensor, torch_internals.Operator), advice(
        "the type of torch.ops.aten.add.Tensor",
        "The reader of .pt2 files calls only objects of this type.",
        "set Operator to type(torch.ops.aten.add.Tensor).",
    )


def test_the_archive_reader_gives_names_and_content(tmp_path: Path) -> None:
    path = save_archive(TinyNet(), tmp_path / "m.pt", 16)
    reader = torch_internals.open_archive(path)
    with zipfile.ZipFile(path) as archive:
        stored = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    found = {name: bytes(reader.get_record(name)) for name in reader.get_all_records()}
    assert found == {name: stored[name] for name in found} and "data.pkl" in found, advice(
        "the archive reader that torch.jit.load uses",
        "check_code reads TorchScript code with it before it is loaded.",
        "use the reader that torch.jit.load uses now; with any other one, crafted archives can pass the check.",
    )


@pytest.mark.parametrize(("name", "expected"), [("aten::relu", True), ("aten::from_file", True), ("aten::no", False)])
def test_torchscript_reports_which_operators_exist(name: str, expected: bool) -> None:
    assert torch_internals.is_operator(name) is expected, advice(
        "the lookup of TorchScript's operators",
        "check_code refuses names of operators that its allow-list lacks.",
        "use another lookup, or let is_operator return True, which refuses more models but no fewer.",
    )


def test_a_graph_compiles_to_a_function_of_the_input() -> None:
    example = torch.rand(2, 3, 16, 16)
    untyped: Any = torch.jit.trace
    frozen = freeze(untyped(TinyNet().eval(), example))
    run = torch_internals.compile_graph("test", frozen.graph.copy(), frozen)
    assert torch.equal(run(example), frozen(example)), advice(
        "torch._C._create_function_from_graph",
        "Every model but ONNX runs through an edited graph.",
        "find how TorchScript compiles a graph now; torch.fx with forward hooks is the public alternative.",
    )


def test_the_torchscript_type_of_optional_numbers_can_be_created() -> None:
    assert str(torch_internals.optional_numbers()) == "List[Optional[number]]", advice(
        "TorchScript's type objects",
        "Fused convolutions take an argument of this type.",
        "make the type in another way, or let worker/models/fusion.py fuse nothing: models then run slower.",
    )


def test_a_state_dict_carries_the_versions_of_its_modules() -> None:
    weights = OrderedDict(nn.BatchNorm2d(2).state_dict())
    torch_internals.set_module_versions(
        weights, {"": {"version": torch_internals.get_class_version(nn.BatchNorm2d(2))}}
    )
    stored = torch_internals.get_module_versions(nn.BatchNorm2d(2).state_dict())
    assert torch_internals.get_module_versions(weights) == stored == {"": {"version": 2}}, advice(
        "where state dicts carry the versions of modules",
        "Checkpoints of older releases are converted by these versions.",
        "store the versions where load_state_dict looks for them now.",
    )
