"""TorchScript archives with hand-made files, which torch and the check of their code could read differently."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.script_archives import SMALL, Members, code_of, forge, refusal, with_code, with_text
from worker.models.load import load_classifier

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
    "wide-letters": "    ｏｐｓ = 1\n".encode(),  # noqa: RUF001  # Python reads these letters as `ops`
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
def test_code_that_python_and_torch_could_read_differently_is_refused(tmp_path: Path, name: str) -> None:
    assert "torch.jit.save does not write" in refusal(forge(tmp_path, with_text(HIDDEN[name])))


@pytest.mark.parametrize(
    "first",
    [
        b"# coding: utf-7\n", b"# -*- coding: utf-8-sig -*-\n", b"\n# vim: set fileencoding=utf-7 :\n",
        b"#coding=rot13\n", b"\xef\xbb\xbf", b"\xff\xfe", b"\n", b"\xfe\xff\0",
    ],
)  # fmt: skip
def test_code_that_declares_another_encoding_than_ascii_is_refused(tmp_path: Path, first: bytes) -> None:
    hidden = "+AG8-=ops\n" if b"utf-7" in first else ""
    path = forge(tmp_path, with_code(lambda code: first + hidden.encode() + code))
    if first == b"\n":
        load_classifier(path, SMALL, 2)
    else:
        assert "torch.jit.save does not write" in refusal(path)


def with_second_file(name: str) -> Callable[[Members], None]:
    """Return a function that adds a second code file to an archive. The file's code calls torch.from_file."""

    def change(members: Members) -> None:
        root = code_of(members).partition("/")[0]
        members[f"{root}/{name}"] = (
            b'def f(x: Tensor) -> Tensor:\n  return torch.from_file("/etc/hostname", False, 3)\n'
        )

    return change


@pytest.mark.parametrize("name", ["code/__torch__/evil.py", "code/__torch__/EVIL.PY", "CODE/__torch__/evil.Py"])
def test_every_file_that_torch_reads_as_code_is_checked(tmp_path: Path, name: str) -> None:
    assert "aten::from_file" in refusal(forge(tmp_path, with_second_file(name)))


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


def test_a_tensor_with_more_elements_than_its_file_has_is_refused(tmp_path: Path) -> None:
    def change(members: Members) -> None:
        name = next(name for name in members if name.endswith("/data.pkl"))
        assert members[name].count(b"K\x07") == 2
        # The pickle has both the storage's number of elements and the tensor's size.
        members[name] = members[name].replace(b"K\x07", b"K\xff")

    assert "a storage declares 1,020 bytes, but its file has 28" in refusal(forge(tmp_path, change))
