from pathlib import Path

import pytest
from sqlalchemy import make_url

from service.errors import SettingsInvalid
from service.net.allowed_hosts import AllowedHosts
from service.settings import ServiceSettings, StoreSettings
from worker.settings import WorkerSettings


def test_without_database_and_broker_urls_the_service_runs_embedded_in_its_data_directory(tmp_path: Path) -> None:
    settings = StoreSettings(data_dir=tmp_path)
    assert settings.embedded
    assert settings.database == f"sqlite:///{tmp_path}/salience.sqlite"
    assert settings.roots == (Path.cwd().resolve(), tmp_path.resolve())


def test_settings_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SALIENCE_BROKER_URL", "redis://there")
    monkeypatch.setenv("SALIENCE_ALLOWED_ROOTS", f"{tmp_path}:/models")
    monkeypatch.setenv("SALIENCE_PROCESSES", "3")
    settings = WorkerSettings()
    assert not settings.embedded
    assert settings.roots == (tmp_path.resolve(), Path("/models"))
    assert settings.processes == 3


def test_with_an_external_broker_no_local_path_is_allowed_by_default() -> None:
    assert StoreSettings(broker_url="redis://there").roots == ()


def test_allowed_hosts_are_parsed_and_checked() -> None:
    settings = StoreSettings.read(allowed_hosts="minio.svc, 10.0.0.0/8,")
    assert settings.allowed_web_hosts == AllowedHosts.parse(["minio.svc", "10.0.0.0/8"])
    with pytest.raises(SettingsInvalid, match="SALIENCE_ALLOWED_HOSTS"):
        StoreSettings.read(allowed_hosts="http://minio")


@pytest.mark.parametrize(
    ("host", "required"), [("127.0.0.1", False), ("localhost", False), ("0.0.0.0", True), ("::", True)]
)
def test_keys_are_required_on_addresses_beyond_loopback_or_if_a_setting_says_so(host: str, required: bool) -> None:
    assert ServiceSettings(host=host).keys_required == required
    assert ServiceSettings(host=host, require_keys=True).keys_required


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_postgres_urls_use_psycopg(scheme: str) -> None:
    settings = StoreSettings(database_url=f"{scheme}://u:p@h/d")
    assert settings.database == "postgresql+psycopg://u:p@h/d"


def test_a_secret_is_read_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("p@ss/w:rd?\n")
    monkeypatch.setenv("SALIENCE_DATABASE_PASSWORD_FILE", str(secret))
    monkeypatch.setenv("SALIENCE_DATABASE_URL", "postgresql://u@h/d")
    settings = StoreSettings()
    assert make_url(settings.database).password == "p@ss/w:rd?"
    assert "p@ss" not in repr(settings)


def test_a_secret_in_an_unreadable_file_or_in_two_places_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SALIENCE_BROKER_URL_FILE", str(tmp_path / "none"))
    with pytest.raises(SettingsInvalid, match=r"SALIENCE_BROKER_URL_FILE: .*none cannot be read"):
        StoreSettings.read()
    monkeypatch.setenv("SALIENCE_BROKER_URL", "redis://there")
    with pytest.raises(SettingsInvalid, match="not both"):
        StoreSettings.read()


@pytest.mark.parametrize("url", ["foo://there", "there", "redis:/there", "redis://there:port", "sqs://there"])
def test_a_broker_url_of_an_unknown_kind_is_refused(url: str) -> None:
    with pytest.raises(SettingsInvalid, match=r"SALIENCE_BROKER_URL: .*write redis://"):
        StoreSettings.read(broker_url=url)


@pytest.mark.parametrize(
    "url",
    [
        "redis://",
        "rediss://:p@[::1]:6379/1",
        "redis://h:1?ssl_cert_reqs=none",
        "amqps://u:p%2F@h:5671//",
        "amqp://a;amqp://b",
    ],
)
def test_every_form_of_redis_and_amqp_urls_is_accepted(url: str) -> None:
    assert StoreSettings.read(broker_url=url).broker_url == url


@pytest.mark.parametrize("name", ["lease_seconds", "sweep_seconds", "retention_days", "cache_gib", "fetch_seconds"])
@pytest.mark.parametrize("value", ["inf", "nan", "-1", "0"])
def test_durations_and_sizes_must_be_positive_and_finite(name: str, value: str) -> None:
    with pytest.raises(SettingsInvalid, match=f"SALIENCE_{name.upper()}: "):
        StoreSettings.read(**{name: value})


def test_a_lease_longer_than_a_day_is_refused() -> None:
    with pytest.raises(SettingsInvalid, match=r"SALIENCE_LEASE_SECONDS: .*less than or equal to 86400"):
        StoreSettings.read(lease_seconds="1e12")
