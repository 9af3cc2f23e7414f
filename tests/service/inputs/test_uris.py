from pathlib import Path

import pytest

from service.errors import InputRefused
from service.inputs.uris import locate
from service.settings import StoreSettings


def test_a_file_under_a_root_is_found_also_with_escapes(tmp_path: Path) -> None:
    file = tmp_path / "a file.pt"
    file.touch()
    assert locate(file.as_uri(), [tmp_path]) == file


@pytest.mark.parametrize(
    ("uri", "told"),
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
def test_what_is_no_allowed_file_is_refused_with_the_remedy(tmp_path: Path, uri: str, told: str) -> None:
    with pytest.raises(InputRefused, match=told):
        locate(uri, [tmp_path])


def test_a_link_that_leads_out_of_the_roots_is_refused(tmp_path: Path) -> None:
    link = tmp_path / "inside" / "link"
    link.parent.mkdir()
    link.symlink_to(tmp_path / "secret")
    with pytest.raises(InputRefused, match="outside") as refused:
        locate(link.as_uri(), [link.parent])
    assert "secret" not in str(refused.value), "nor is it told where that is"


def test_what_the_service_keeps_below_a_root_is_no_users_to_name(tmp_path: Path) -> None:
    settings = StoreSettings(data_dir=tmp_path / "data", allowed_roots=(tmp_path,))
    kept = tmp_path / "data" / "artifacts" / "ab" / "abc"
    kept.parent.mkdir(parents=True)
    kept.touch()
    (tmp_path / "data" / "salience.sqlite-wal").touch()
    (tmp_path / "link").symlink_to(kept)
    for path in (kept, tmp_path / "link", tmp_path / "data" / "salience.sqlite-wal"):
        with pytest.raises(InputRefused, match="outside"):
            locate(path.as_uri(), settings.roots)
    beside = tmp_path / "data" / "model.pt"
    beside.touch()
    assert locate(beside.as_uri(), settings.roots) == beside


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="does not exist"):
        locate((tmp_path / "gone").as_uri(), [tmp_path])
