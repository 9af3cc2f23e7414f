import json
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from service.commands.keys import keys
from service.commands.serve import serve
from service.domain.api_key import Scope
from service.errors import ApiKeyNotFound, ApiKeysRequired, InvalidApiKey
from service.storage import Store


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"SALIENCE_DATA_DIR": str(tmp_path / "data"), "SALIENCE_BROKER_URL": "", "SALIENCE_DATABASE_URL": ""}


def run(environment: dict[str, str], *arguments: str) -> Result:
    found = CliRunner().invoke(keys, arguments, env=environment)
    if found.exception and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found


def test_keys_can_be_created_listed_and_revoked_and_the_secret_is_shown_only_once(
    environment: dict[str, str], tmp_path: Path
) -> None:
    created = run(
        environment, "create", "--name", "ci", "--scope", "submit", "--tenant", "forensics", "--expires", "90d"
    )
    secret = created.stdout.strip()
    assert "SALIENCE_API_KEY" in created.stderr
    store = Store.open(f"sqlite:///{tmp_path}/data/salience.sqlite")
    found = store.keys.find(secret)
    assert found is not None and found.expires_at is not None
    assert (found.name, found.tenant, found.scope) == ("ci", "forensics", Scope.SUBMIT)
    assert 89 < (found.expires_at - time.time()) / 86400 <= 90
    listed = run(environment, "list", "--json").stdout
    assert secret.removeprefix(found.prefix) not in listed
    assert [each["prefix"] for each in json.loads(listed)] == [found.prefix]
    assert "forensics" in run(environment, "list").stdout
    assert found.prefix in run(environment, "revoke", found.prefix).stdout
    assert store.keys.find(secret) != found
    assert json.loads(run(environment, "list", "--json").stdout)[0]["revoked_at"]
    with pytest.raises(ApiKeyNotFound):
        run(environment, "revoke", "salience_none")
    store.database.close()


@pytest.mark.parametrize(
    "wrong", [["--expires", "soon"], ["--expires", "2020-01-31"], ["--tenant", "a b"], ["--name", "\n"]]
)
def test_a_key_with_invalid_fields_is_refused_with_the_name_of_the_field(
    environment: dict[str, str], wrong: list[str]
) -> None:
    with pytest.raises(InvalidApiKey, match=wrong[0].removeprefix("--")):
        run(environment, "create", "--name", "ci", *wrong)


def test_a_database_without_a_schema_is_an_error_that_names_the_remedy(tmp_path: Path) -> None:
    environment = {"SALIENCE_DATABASE_URL": f"sqlite:///{tmp_path}/x.sqlite", "SALIENCE_BROKER_URL": "redis://there"}
    found = run(environment, "create", "--name", "ci")
    assert (found.exit_code, "salience migrate" in found.output) == (1, True)


@pytest.mark.parametrize("exposure", [{"SALIENCE_HOST": "0.0.0.0"}, {"SALIENCE_REQUIRE_KEYS": "true"}])
def test_a_service_that_requires_keys_does_not_start_if_no_key_exists(
    environment: dict[str, str], migrated_sqlite: Path, exposure: dict[str, str]
) -> None:
    production = {"SALIENCE_DATABASE_URL": f"sqlite:///{migrated_sqlite}", "SALIENCE_BROKER_URL": "redis://there"}
    for settings in (environment, environment | production):
        found = CliRunner().invoke(serve, [], env=settings | exposure)
        assert isinstance(found.exception, ApiKeysRequired)
        assert "salience keys create" in str(found.exception)
