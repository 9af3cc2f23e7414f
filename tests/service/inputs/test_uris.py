from pathlib import Path

import pytest

from service.errors import InputRefused
from service.inputs.uris import locate
from service.settings import StoreSettings


def test_a_percent_encoded_uri_finds_its_file_under_an_allowed_root(tmp_path: Path) -> None:
    file = tmp_path / "a file.pt"
    file.touch()
    assert locate(file.as_uri(), [tmp_path]) == file


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("/plain/path", "file://"),
        ("https://example.org/m.pt", "file://"),
        ("file://elsewhere/m.pt", "file://"),
        ("file:relative", "file://"),
        ("file:///%00", "zero byte"),
        ("file:///etc/passwd", "SALIENCE_ALLOWED_ROOTS"),
        ("file://[", "file://"),
    ],
)
def test_a_uri_that_does_not_name_an_allowed_file_is_refused_with_the_remedy(
    tmp_path: Path, uri: str, message: str
) -> None:
    with pytest.raises(InputRefused, match=message):
        locate(uri, [tmp_path])


def test_a_link_to_a_file_outside_the_allowed_roots_is_refused(tmp_path: Path) -> None:
    link = tmp_path / "inside" / "link"
    link.parent.mkdir()
    link.symlink_to(tmp_path / "secret")
    with pytest.raises(InputRefused, match="outside") as refused:
        locate(link.as_uri(), [link.parent])
    assert "secret" not in str(refused.value), "the message does not name the target"


def test_files_of_the_service_itself_are_refused_even_below_an_allowed_root(tmp_path: Path) -> None:
    settings = StoreSettings(data_dir=tmp_path / "data", allowed_roots=(tmp_path,))
    artifact = tmp_path / "data" / "artifacts" / "ab" / "abc"
    artifact.parent.mkdir(parents=True)
    artifact.touch()
    (tmp_path / "data" / "salience.sqlite-wal").touch()
    (tmp_path / "link").symlink_to(artifact)
    for path in (artifact, tmp_path / "link", tmp_path / "data" / "salience.sqlite-wal"):
        with pytest.raises(InputRefused, match="outside"):
            locate(path.as_uri(), settings.roots)
    beside = tmp_path / "data" / "model.pt"
    beside.touch()
    assert locate(beside.as_uri(), settings.roots) == beside


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="does not exist"):
        locate((tmp_path / "gone").as_uri(), [tmp_path])
