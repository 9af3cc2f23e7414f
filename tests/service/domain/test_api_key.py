import pytest

from service.domain.api_key import ApiKey, Scope, check_tenant, hash_key, new_secret
from service.errors import InvalidApiKey


def test_a_scope_includes_all_lower_scopes() -> None:
    assert [[a.includes(b) for b in Scope] for a in Scope] == [
        [True, False, False],
        [True, True, False],
        [True, True, True],
    ]


def test_a_key_has_256_random_bits_after_its_prefix() -> None:
    prefix, secret = new_secret()
    assert secret.startswith(f"{prefix}_")
    assert len(secret.removeprefix(f"{prefix}_")) == 43, "256 bits in base64"
    assert len({new_secret()[1] for _ in range(100)}) == 100
    assert secret not in hash_key(secret)


def test_a_key_is_valid_until_it_expires_or_is_revoked() -> None:
    key = ApiKey("p", "ci", "", Scope.READ, created_at=0.0, expires_at=10.0)
    assert key.is_valid(9.9)
    assert not key.is_valid(10.0)
    assert not ApiKey("p", "ci", "", Scope.READ, created_at=0.0, revoked_at=1.0).is_valid(2.0)


@pytest.mark.parametrize("tenant", ["a b", ".hidden", "x" * 101, "a/b", "a\n"])
def test_an_invalid_name_of_a_tenant_is_refused(tenant: str) -> None:
    with pytest.raises(InvalidApiKey, match="tenant"):
        check_tenant(tenant)
