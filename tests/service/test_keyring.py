import json
import stat
from pathlib import Path

import pytest

from service.errors import NotSetUp
from service.keyring import Keyring, own_key

OLD, NEW = "old" * 12, "new" * 12


def test_a_secret_comes_of_what_is_kept_and_a_key_and_of_neither_alone() -> None:
    keys = Keyring([OLD])
    kept, other = keys.make(), keys.make()
    assert keys.secret(kept) == keys.secret(kept) != keys.secret(other)
    assert len(keys.secret(kept)) == 32
    assert OLD not in json.dumps(kept)
    assert OLD not in repr(keys)
    with pytest.raises(NotSetUp, match="SALIENCE_SECRET_KEYS"):
        Keyring([NEW]).secret(kept)


def test_a_new_key_makes_new_secrets_while_old_ones_hold() -> None:
    kept = Keyring([OLD]).make()
    both = Keyring([NEW, OLD])
    assert both.secret(kept) == Keyring([OLD]).secret(kept)
    assert Keyring([NEW]).secret(both.make())


def test_without_a_key_there_are_no_webhooks() -> None:
    with pytest.raises(NotSetUp, match="SALIENCE_SECRET_KEYS"):
        Keyring([]).make()


def test_the_embedded_services_key_is_made_once_and_for_its_user_alone(tmp_path: Path) -> None:
    key = own_key(tmp_path)
    assert own_key(tmp_path) == key
    assert len(key) >= 32
    assert stat.S_IMODE((tmp_path / "secret-key").stat().st_mode) == 0o600
