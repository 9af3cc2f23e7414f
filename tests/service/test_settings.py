from pathlib import Path

import pytest
from sqlalchemy import make_url

from service.addresses import AllowedHosts
from service.errors import SettingsInvalid
from service.settings import ServiceSettings, StoreSettings, WorkerSettings


def test_without_urls_the_service_is_embedded_in_its_data_directory(tmp_path: Path) -> None:
    settings = StoreSettings(data_dir=tmp_path)
    assert settings.embedded
    assert settings.database == f"sqlite:///{tmp_path}/salience.sqlite"
    assert settings.roots == (Path.cwd().resolve(), tmp_path.resolve())


def test_the_environment_sets_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SALIENCE_BROKER_URL", "redis://there")
    monkeypatch.setenv("SALIENCE_ALLOWED_ROOTS", f"{tmp_path}:/models")
    monkeypatch.setenv("SALIENCE_PROCESSES", "3")
    settings = WorkerSettings()
    assert not settings.embedded
    assert settings.roots == (tmp_path.resolve(), Path("/models"))
    assert settings.processes == 3


def test_in_production_no_path_is_allowed_unless_it_is_named() -> None:
    assert StoreSettings(broker_url="redis://there").roots == ()


def test_hosts_are_checked_when_they_are_read() -> None:
    settings = StoreSettings.read(allowed_hosts="minio.svc, 10.0.0.0/8,")
    assert settings.web_hosts == AllowedHosts.parse(["minio.svc", "10.0.0.0/8"])
    with pytest.raises(SettingsInvalid, match="SALIENCE_ALLOWED_HOSTS"):
        StoreSettings.read(allowed_hosts="http://minio")


@pytest.mark.parametrize(
    ("host", "asked"), [("127.0.0.1", False), ("localhost", False), ("0.0.0.0", True), ("::", True)]
)
def test_keys_are_required_beyond_loopback_and_where_the_operator_says_so(host: str, asked: bool) -> None:
    assert ServiceSettings(host=host).keys_required == asked
    assert ServiceSettings(host=host, require_keys=True).keys_required


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_postgres_is_spoken_to_by_psycopg(scheme: str) -> None:
    settings = StoreSettings(database_url=f"{scheme}://u:p@h/d")
    assert settings.database == "postgresql+psycopg://u:p@h/d"


def test_a_secret_may_lie_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("p@ss/w:rd?\n")
    monkeypatch.setenv("SALIENCE_DATABASE_PASSWORD_FILE", str(secret))
    monkeypatch.setenv("SALIENCE_DATABASE_URL", "postgresql://u@h/d")
    settings = StoreSettings()
    assert make_url(settings.database).password == "p@ss/w:rd?"
    assert "p@ss" not in repr(settings)


def test_a_secret_is_given_once_and_its_file_can_be_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SALIENCE_BROKER_URL_FILE", str(tmp_path / "none"))
    with pytest.raises(SettingsInvalid, match=r"SALIENCE_BROKER_URL_FILE: .*none cannot be read"):
        StoreSettings.read()
    monkeypatch.setenv("SALIENCE_BROKER_URL", "redis://there")
    with pytest.raises(SettingsInvalid, match="not both"):
        StoreSettings.read()
