import json
import stat
from pathlib import Path

import pytest

from service.errors import NotConfigured
from service.integrations.webhooks.secrets import SecretKeys, embedded_key

OLD, NEW = "old" * 12, "new" * 12


def test_a_stored_secret_can_be_decrypted_only_with_the_key_of_the_service() -> None:
    keys = SecretKeys([OLD])
    stored, other = keys.create_secret(), keys.create_secret()
    assert keys.decrypt(stored) == keys.decrypt(stored) != keys.decrypt(other)
    assert len(keys.decrypt(stored)) == 32
    assert OLD not in json.dumps(stored)
    assert OLD not in repr(keys)
    with pytest.raises(NotConfigured, match="SALIENCE_SECRET_KEYS"):
        SecretKeys([NEW]).decrypt(stored)


def test_existing_secrets_stay_valid_after_a_new_key_is_added() -> None:
    stored = SecretKeys([OLD]).create_secret()
    both = SecretKeys([NEW, OLD])
    assert both.decrypt(stored) == SecretKeys([OLD]).decrypt(stored)
    assert SecretKeys([NEW]).decrypt(both.create_secret())


def test_creating_a_webhook_secret_without_a_key_names_the_missing_setting() -> None:
    with pytest.raises(NotConfigured, match="SALIENCE_SECRET_KEYS"):
        SecretKeys([]).create_secret()


def test_the_embedded_service_creates_its_key_once_in_a_file_that_only_the_owner_can_read(tmp_path: Path) -> None:
    key = embedded_key(tmp_path)
    assert embedded_key(tmp_path) == key
    assert len(key) >= 32
    assert stat.S_IMODE((tmp_path / "secret-key").stat().st_mode) == 0o600
