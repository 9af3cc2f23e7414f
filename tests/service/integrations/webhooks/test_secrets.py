import json
import stat
from pathlib import Path

import pytest

from service.errors import NotConfigured
from service.integrations.webhooks.secrets import SecretKeys, embedded_key

OLD, NEW = "old" * 12, "new" * 12


def test_a_secret_comes_of_what_is_kept_and_a_key_and_of_neither_alone() -> None:
    keys = SecretKeys([OLD])
    kept, other = keys.create_secret(), keys.create_secret()
    assert keys.decrypt(kept) == keys.decrypt(kept) != keys.decrypt(other)
    assert len(keys.decrypt(kept)) == 32
    assert OLD not in json.dumps(kept)
    assert OLD not in repr(keys)
    with pytest.raises(NotConfigured, match="SALIENCE_SECRET_KEYS"):
        SecretKeys([NEW]).decrypt(kept)


def test_a_new_key_makes_new_secrets_while_old_ones_hold() -> None:
    kept = SecretKeys([OLD]).create_secret()
    both = SecretKeys([NEW, OLD])
    assert both.decrypt(kept) == SecretKeys([OLD]).decrypt(kept)
    assert SecretKeys([NEW]).decrypt(both.create_secret())


def test_without_a_key_there_are_no_webhooks() -> None:
    with pytest.raises(NotConfigured, match="SALIENCE_SECRET_KEYS"):
        SecretKeys([]).create_secret()


def test_the_embedded_services_key_is_made_once_and_for_its_user_alone(tmp_path: Path) -> None:
    key = embedded_key(tmp_path)
    assert embedded_key(tmp_path) == key
    assert len(key) >= 32
    assert stat.S_IMODE((tmp_path / "secret-key").stat().st_mode) == 0o600
