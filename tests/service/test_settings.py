from pathlib import Path

import pytest

from service.settings import StoreSettings, WorkerSettings


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


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_postgres_is_spoken_to_by_psycopg(scheme: str) -> None:
    settings = StoreSettings(database_url=f"{scheme}://u:p@h/d")
    assert settings.database == "postgresql+psycopg://u:p@h/d"
