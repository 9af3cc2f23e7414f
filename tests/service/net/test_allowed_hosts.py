import pytest

from service.errors import InputRefused
from service.net.allowed_hosts import AllowedHosts, is_loopback

PRIVATE = [
    "127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "100.100.100.200", "168.63.129.16", "192.0.0.192", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1",
    "fc00::1", "fd00:ec2::254", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "2002:7f00:1::",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2", "ff02::1", "64:ff9b:1::a9fe:a9fe", "::127.0.0.1", "::ffff:0:7f00:1",
    "fec0::1",
]  # fmt: skip
# Notations of 127.0.0.1 that C libraries accept besides the usual one.
UNUSUAL = ["2130706433", "0x7f000001", "0x7f.1", "127.1", "localhost"]


@pytest.mark.parametrize("host", [*PRIVATE, *UNUSUAL])
def test_an_address_that_is_not_public_is_refused(host: str) -> None:
    with pytest.raises(InputRefused, match="SALIENCE_ALLOWED_HOSTS"):
        AllowedHosts().resolve(host, 80)


@pytest.mark.parametrize("host", [*PRIVATE, *UNUSUAL, "0177.0.0.1"])
def test_a_literal_address_in_a_uri_is_refused_without_a_connection(host: str) -> None:
    with pytest.raises(InputRefused, match="not a public address"):
        AllowedHosts().check_literal(f"http://{f'[{host}]' if ':' in host else host}:8080/x")


@pytest.mark.parametrize("uri", ["http://", "http:///x", "http://[", "https://?x"])
def test_a_uri_without_a_host_is_refused(uri: str) -> None:
    with pytest.raises(InputRefused):
        AllowedHosts().check_literal(uri)


@pytest.mark.parametrize(
    "host", ["0x08080808", "134744072", "a.example", "ä.example", "0x8.example", "1e100.example", "a\0b"]
)
def test_check_literal_accepts_public_addresses_and_all_names(host: str) -> None:
    AllowedHosts().check_literal(f"http://{host}/x")


@pytest.mark.parametrize("host", ["8.8.8.8", "2001:4860:4860::8888", "64:ff9b::808:808"])
def test_public_addresses_are_allowed(host: str) -> None:
    AllowedHosts().check_literal(f"http://{f'[{host}]' if ':' in host else host}/x")
    assert [str(each) for each in AllowedHosts().resolve(host, 80)] == [host]


def test_the_operator_can_allow_names_addresses_and_networks() -> None:
    allowed = AllowedHosts.parse(["127.0.0.1", "10.0.0.0/8", "fd00::/8", "Minio.storage.svc"])
    assert [str(each) for each in allowed.resolve("127.0.0.1", 80)] == ["127.0.0.1"]
    allowed.check_literal("http://10.9.8.7/x")
    with pytest.raises(InputRefused):
        allowed.resolve("127.0.0.2", 80)
    for entry in ("10.0.0.0/33", "a b", "http://minio", "10.0.0"):
        with pytest.raises(ValueError, match="not a host"):
            AllowedHosts.parse([entry])


def test_an_allowed_name_may_resolve_to_any_address() -> None:
    allowed = AllowedHosts.parse(["localhost"])
    found = {str(each) for each in allowed.resolve("LOCALHOST.", 80)}
    assert found
    assert found <= {"127.0.0.1", "::1"}
    with pytest.raises(InputRefused, match=r"localhost \((127\.0\.0\.1|::1)\)"):
        AllowedHosts.parse(["minio.storage.svc"]).resolve("localhost", 80)


@pytest.mark.parametrize(("host", "expected"), [
    ("127.0.0.1", True), ("::1", True), ("[::1]", True), ("localhost", True), ("0.0.0.0", False), ("::", False),
    ("10.0.0.1", False), ("example.org", False), ("", False), (None, False), ("localhost.example.org", False),
])  # fmt: skip
def test_loopback_addresses_are_recognised(host: str | None, expected: bool) -> None:
    assert is_loopback(host) is expected
