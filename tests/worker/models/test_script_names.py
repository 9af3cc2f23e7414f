"""Tests that TorchScript code is refused if it names an operator, class or function outside the allow-list."""

from pathlib import Path

import pytest

from tests.support.script_archives import forge, refusal, with_text
from worker.models.operators import EXPORTED, NAMESPACED, SCRIPTED

SECRET = b"hunter2SECRET"
# Lines of code; PATH stands for the arguments that read a file.
REFUSED = {
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


@pytest.mark.parametrize("name", REFUSED)
def test_code_with_a_name_outside_the_allow_list_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "canary").write_bytes(SECRET)
    place = f'"{tmp_path}/canary", True, {len(SECRET)}, dtype=0'
    text = "".join(f"    {line}\n" for line in REFUSED[name]).replace("PATH", place)
    message = refusal(forge(tmp_path, with_text(text.encode())))
    assert " names " in message
    assert "code/__torch__" in message
    assert (tmp_path / "canary").read_bytes() == SECRET


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
