"""TorchScript archives written by hand: forbidden names are refused, and torch reads the code that was checked."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from service.errors import ModelRefused
from service.spec.cohort import Model, Preprocessing
from tests.worker.models.test_code_safety import script
from worker.models.load import load_classifier
from worker.models.operators import EXPORTED, NAMESPACED, SCRIPTED

SMALL = Model(preprocessing=Preprocessing(size=(16, 16)))
SECRET = b"hunter2SECRET"
Members = dict[str, bytes]


class Plain(nn.Module):
    numbers: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("numbers", torch.arange(7.0))

    def forward(self, images: Tensor) -> Tensor:
        return images.mean((2, 3)) + self.numbers.sum()


def forge(folder: Path, change: Callable[[Members], None]) -> Path:
    """Save the archive of a plain model with changed files."""
    with zipfile.ZipFile(script(Plain(), folder / "m.pt")) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(folder / "m.pt", "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return folder / "m.pt"


def code_of(members: Members) -> str:
    return next(name for name in members if "/code/" in name and name.endswith(".py"))


def with_code(change: Callable[[bytes], bytes]) -> Callable[[Members], None]:
    def changed(members: Members) -> None:
        name = code_of(members)
        members[name] = change(members[name])

    return changed


def with_lines(*lines: str) -> Callable[[Members], None]:
    """Insert lines at the beginning of forward."""
    text = "".join(f"    {line}\n" for line in lines).encode()

    def change(code: bytes) -> bytes:
        head, body = code.split(b"-> Tensor:\n")
        return head + b"-> Tensor:\n" + text + body

    return with_code(change)


def refusal(path: Path) -> str:
    with pytest.raises(ModelRefused) as refused:
        load_classifier(path, SMALL, 2)
    return str(refused.value)


ALIASED = {
    "alias": ["o = ops", "s = o.aten.from_file(PATH)"],
    "alias-of-a-namespace": ["o = ops.aten", "s = o.from_file(PATH)"],
    "alias-of-a-function": ["f = torch.from_file", "s = f(PATH)"],
    "alias-of-torch": ["t = torch", "s = t.from_file(PATH)"],
    "alias-of-a-method": ["f = images.as_strided", "s = f([9], [1])"],
    "tuple": ["o, n = ops, 1", "s = o.aten.from_file(PATH)"],
    "list": ["for o in [ops]:", "  s = o.aten.from_file(PATH)"],
    "choice": ["o = ops if True else ops", "s = o.aten.from_file(PATH)"],
    "nested-function": ["def f(x: Tensor) -> Tensor:", "  o = ops", "  return o.aten.from_file(PATH)", "s = f(images)"],
    "default-argument": ["def f(x: Tensor, o=ops) -> Tensor:", "  return o.aten.from_file(PATH)", "s = f(images)"],
    "loop": ["while True:", "  o = ops", "  break"],
    "attribute": ["self.o = ops"],
    "getattr-of-ops": ['s = getattr(ops, "aten").from_file(PATH)'],
    "getattr-of-torch": ['s = getattr(torch, "from_file")(PATH)'],
    "getattr-joined": ['s = getattr(images, "as_" "strided")([9], [1])'],
    "getattr-escaped": ['s = getattr(images, "as\\137strided")([9], [1])'],
    "alias-of-getattr": ["g = getattr", 's = g(images, "as_strided")([9], [1])'],
    "list-of-getattr": ["for g in [getattr]:", '  s = g(images, "as_strided")([9], [1])'],
    "getattr-computed": ['s = getattr(images, torch.add("as_", "strided"))([9], [1])'],
    "shadowed": ["torch = ops", "s = torch.aten.from_file(PATH)"],
    "argument": ["def f(ops: Tensor) -> Tensor:", "  return ops.aten.from_file(PATH)"],
    "torch-ops": ["s = torch.ops.aten.from_file(PATH)"],
    "aten": ["s = ops.aten.from_file(PATH)"],
    "aten-that-is-harmless": ["s = ops.aten.relu(images)"],
    "another-namespace": ['s = ops.image.read_file("/etc/hostname")'],
    "prim": ['s = ops.prim.PythonOp("x")'],
    "spaced": ["s = ops . aten . from_file(PATH)"],
    "parenthesised": ["s = (ops).aten.from_file(PATH)"],
    "autograd": ["s = torch.autograd.grad([images], [images])"],
    "beyond-a-tensor": ["s = torch._reshape_alias(images, [9999], [1])"],
    "beyond-a-tensor-as-a-method": ["s = images._reshape_alias([9999], [1])"],
    "another-storage": ["s = images.set_(images)"],
    "resized": ["s = torch.resize_(images, [9999])"],
    "compiled-class": ["s = __torch__.torch.classes.dist_c10d.Store()"],
    "compiled-class-spaced": ["s = __torch__ . torch . classes . dist_c10d . Store()"],
    "compiled-class-by-alias": ["c = __torch__.torch", "s = c.classes.dist_c10d.Store()"],
    "compiled-class-by-getattr": ['s = getattr(__torch__.torch, "classes").dist_c10d.Store()'],
    "compiled-class-as-a-type": ["s = annotate(Optional[__torch__.torch.classes.dist_c10d.Store], None)"],
    "namespace": ["c = __torch__", "s = c.torch.classes.dist_c10d.Store()"],
    "import": ["import os"],
    "lambda": ["f = lambda x: x"],
    "remote": ['s = rpc_async("other", images)'],
    "another-class": ["s = unchecked_cast(__torch__.B, self)"],
    "another-class-in-a-list": ["s = unchecked_cast(List[__torch__.B], [self])"],
    "another-tuple": ["s = unchecked_cast(Tuple[int, int, int], (1,))"],
    "alias-of-a-cast": ["c = unchecked_cast", "s = c(__torch__.B, self)"],
    "lstm": ["s = torch.lstm(images, [images], [images], True, 1, 0., False, False, False)"],
    "gru-cell": ["s = torch.gru_cell(images, images, images, images)"],
    "boxes": ["s = ops.torchvision.roi_align(images, images, 1., 1, 1, 1, False)"],
    "overlap": ["s = ops.torchvision.nms(images, images, 1.)"],
    "scales": ["s = torch._upsample_bicubic2d_aa(images, [64, 64], False, 1e-6, 1e-6)"],
    "one-scale": ["s = torch._upsample_bilinear2d_aa(images, [64, 64], False, 0.1)"],
    "public-scales": ["s = torch.upsample_bilinear2d(images, [64, 64], False, 1e-30, 1e-30)"],
    "scale-of-nearest": ["s = torch.upsample_nearest2d(images, [64, 64], 1e-30)"],
    "scales-by-name": ["s = torch._upsample_lanczos2d_aa(images, [64, 64], False, scales_h=1e-6, scales_w=1e-6)"],
    "scales-of-a-method": ["s = images.upsample_bicubic2d([64, 64], False, 1e-30)"],
    "scale-in-a-variable": ["f = 1e-6", "s = torch._upsample_bicubic2d_aa(images, [64, 64], False, f)"],
    "scale-in-a-tuple": ["f, g = None, 1e-6", "s = torch._upsample_bicubic2d_aa(images, [64, 64], False, g)"],
    "scale-of-a-loop": ["for f in [1e-6]:", "  s = torch._upsample_bicubic2d_aa(images, [64, 64], False, f)"],
    "scale-in-a-starred-tuple": [
        "t = (images, [64, 64])", "s = torch._upsample_bicubic2d_aa(*t, False, 1e-6, None)"
    ],
    "scale-of-an-outer-function": [
        "f = 1e-6", "def g(x: Tensor) -> Tensor:", "  s = torch._upsample_bicubic2d_aa(x, [64, 64], False, f)",
        "  f = None", "  return s",
    ],
    "old-interpolation": ['s = torch.__interpolate(images, [64, 64], [1e-30, 1e-30], "nearest", None, None)'],
    "unknown": ["s = eval(images)"],
}  # fmt: skip


@pytest.mark.parametrize("name", ALIASED)
def test_code_with_a_name_outside_the_allow_list_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "canary").write_bytes(SECRET)
    place = f'"{tmp_path}/canary", True, {len(SECRET)}, dtype=0'
    message = refusal(forge(tmp_path, with_lines(*(line.replace("PATH", place) for line in ALIASED[name]))))
    assert " names " in message
    assert "code/__torch__" in message
    assert (tmp_path / "canary").read_bytes() == SECRET


HIDDEN = {
    "carriage-return": b"# \r    '''\n    o = ops\n# \r    '''\n",
    "lone-carriage-return": b"    s = 1\r    o = ops\n",
    "windows-line": b"    s = 1\r\n",
    "zero": b"    s = 1\0\n",
    "form-feed": b"\f    s = 1\n",
    "vertical-tab": b"    s = 1 \v + 1\n",
    "end-of-file": b"    s = 1\x1a\n",
    "tab": b"\ts = 1\n",
    "escape": b"    s = 1 \x1b\n",
    "delete": b"    s = 1 \x7f\n",
    "letter": "    é = 1\n".encode(),
    "line-separator": "    s = 1 # \u2028    o = ops\n".encode(),
    "next-line": b"    s = 1 # \x85    o = ops\n",
    "wide-letters": "    ｏｐｓ = 1\n".encode(),  # noqa: RUF001  # which Python reads as `ops`
    "comment": b"    s = 1  # ops\n",
    "type-comment": b"    s = annotate(int, 1) # type: int\n",
    "continued-line": b"    s = \\\n  1\n",
    "continued-text": b'    s = "a\\\n"\n',
    "long-text": b'    s = """\n    o = ops\n    """\n',
    "long-text-of-single-quotes": b"    s = '''\n    o = ops\n    '''\n",
    "raw-text": b'    s = r"\\"\n',
    "unended-text": b'    s = "\n',
}


@pytest.mark.parametrize("name", HIDDEN)
def test_code_that_two_parsers_could_read_differently_is_refused(tmp_path: Path, name: str) -> None:
    def change(code: bytes) -> bytes:
        head, body = code.split(b"-> Tensor:\n")
        return head + b"-> Tensor:\n" + HIDDEN[name] + body

    assert "torch.jit.save does not write" in refusal(forge(tmp_path, with_code(change)))


@pytest.mark.parametrize(
    "first",
    [
        b"# coding: utf-7\n", b"# -*- coding: utf-8-sig -*-\n", b"\n# vim: set fileencoding=utf-7 :\n",
        b"#coding=rot13\n", b"\xef\xbb\xbf", b"\xff\xfe", b"\n", b"\xfe\xff\0",
    ],
)  # fmt: skip
def test_code_is_read_as_ascii_whatever_encoding_it_declares(tmp_path: Path, first: bytes) -> None:
    hidden = "+AG8-=ops\n" if b"utf-7" in first else ""
    path = forge(tmp_path, with_code(lambda code: first + hidden.encode() + code))
    if first == b"\n":
        load_classifier(path, SMALL, 2)
    else:
        assert "torch.jit.save does not write" in refusal(path)


def evil_file(name: str) -> Callable[[Members], None]:
    """Add a second file of code, with a class that the archive's pickle names."""

    def change(members: Members) -> None:
        root = code_of(members).partition("/")[0]
        members[f"{root}/{name}"] = (
            b'def f(x: Tensor) -> Tensor:\n  return torch.from_file("/etc/hostname", False, 3)\n'
        )

    return change


@pytest.mark.parametrize("name", ["code/__torch__/evil.py", "code/__torch__/EVIL.PY", "CODE/__torch__/evil.Py"])
def test_every_code_file_that_torch_would_find_is_checked(tmp_path: Path, name: str) -> None:
    assert "aten::from_file" in refusal(forge(tmp_path, evil_file(name)))


def test_two_files_whose_names_differ_only_in_case_are_refused(tmp_path: Path) -> None:
    def change(members: Members) -> None:
        name = code_of(members)
        members[name.replace("/code/", "/CODE/")] = members[name]

    assert "two files whose names are equal" in refusal(forge(tmp_path, change))


@pytest.mark.parametrize(
    "named", [b"c__torch__.torch.classes.dist_c10d\nStore\n", b"c__torch__.torch\nclasses.dist_c10d.Store\n"]
)
def test_a_pickle_with_an_object_of_a_compiled_class_is_refused(tmp_path: Path, named: bytes) -> None:
    def change(members: Members) -> None:
        name = next(name for name in members if name.endswith("/data.pkl"))
        members[name] = members[name].replace(b"ccollections\nOrderedDict\n", named)

    assert "torch.classes.dist_c10d" in refusal(forge(tmp_path, change))


def test_a_tensor_that_is_longer_than_its_bytes_is_refused(tmp_path: Path) -> None:
    def change(members: Members) -> None:
        name = next(name for name in members if name.endswith("/data.pkl"))
        assert members[name].count(b"K\x07") == 2
        members[name] = members[name].replace(b"K\x07", b"K\xff")  # in the storage, and in the tensor's size

    assert "a storage declares 1,020 bytes, but its file has 28" in refusal(forge(tmp_path, change))


def test_no_allowed_operator_reaches_memory_outside_its_tensors() -> None:
    never = {"as_strided", "as_strided_", "set_", "from_file", "save", "resize_", "_reshape_alias", "to_here", "put_"}
    assert not never & SCRIPTED
    for name in EXPORTED:
        _, short, _ = name.split(".")
        assert not short.startswith(("empty", "new_empty")) and short not in never, name
        assert not short.startswith("_") or short.startswith("_upsample_"), name
        assert "upsample_" not in short or name.endswith(".vec"), name
        assert not short.startswith(("lstm", "gru", "rnn")), name
    assert {name.split(".")[0] for name in NAMESPACED} == {"prim"}
    assert not any("Python" in name or "rpc" in name for name in NAMESPACED)
