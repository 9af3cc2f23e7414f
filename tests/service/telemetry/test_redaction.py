import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.telemetry.redaction import MAX_TEXT, redact, redact_urls, redact_value, strip_query_values

S = "hunter2SECRET"
HOSTILE = [
    f"https://user:{S}@host/path",
    f"postgresql+psycopg://u:{S}@h:5432/d",
    f"postgres://u:a/b{S}@h/d",
    f"postgres://u:a?{S}@h/d",
    f"postgres://u:a@{S}@h/d",
    f"redis://:{S}@redis:6379/0",
    f"https://{S}@host/",
    f"HTTPS://b.s3.amazonaws.com/k?X-Amz-Algorithm=A&X-Amz-Signature={S}&X-Amz-Credential={S}",
    f"https://storage.googleapis.com/b/o?X-Goog-Signature={S}",
    f"https://acc.blob.core.windows.net/c/b?sv=2024&sig={S}%3D",
    f"https://host/o#access_token={S}",
    f"https://host/o;jsessionid={S}",
    f"https%3A%2F%2Fhost%2Fo%3FX-Amz-Signature%3D{S}",
    f"http:\\/\\/host\\/o?any={S}",
    f"X-Amz-Signature={S}&x=1",
    f"X-Amz-Security-Token%3D{S}",
    f"Authorization: Bearer {S}",
    f"authorization: Basic {S}",
    f"b'Authorization', b'Bearer {S}'",
    f"'Authorization': 'Token {S}'",
    f"bearer\n{S}",
    f"Cookie: session={S}; other={S}",
    f"POSTGRES_PASSWORD={S}",
    f"AWS_SECRET_ACCESS_KEY = '{S}'",
    f'{{"client_secret": "{S}"}}',
    f"api-key:{S}",
    f"host=h password={S} dbname=d",
    f"-----BEGIN RSA PRIVATE KEY-----\n{S}\n-----END RSA PRIVATE KEY-----",
    f"-----BEGIN PRIVATE KEY-----\n{S}",
    f"whsec_{S}",
    f"salience_0123abcd_{S}",
    f"eyJhbGciOiJIUzI1NiJ9.{S}.{S}",
]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("around", ["{}", "GET {} failed", "({})", '"{}"', "[{}, {}]", "x\n{}\ny"])
def test_redact_removes_every_secret(text: str, around: str) -> None:
    assert S not in redact(around.format(*[text] * 2))


@pytest.mark.parametrize(
    "text",
    [
        "Job 3f2a fails: models/1.pt has 3 classes, the spec says 4",
        "https://host:8443/models/1.pt",
        "http://[::1]:8000/v1/jobs",
        "file:///data/a@2x.png",
        "s3://bucket/key",
        "label=team: write key:value",
        "shard 12 of 40 at 10:32:05",
    ],
)
def test_redact_leaves_a_text_without_secrets_unchanged(text: str) -> None:
    assert redact(text) == text


def test_redact_does_not_change_the_host_and_the_path_of_a_url() -> None:
    assert redact(f"https://u:{S}@host/a/b.pt?sig={S}#x, and more") == "https://***@host/a/b.pt?*** and more"


@given(st.text(max_size=200))
def test_redacting_twice_changes_nothing(text: str) -> None:
    once = redact(text)
    assert redact(once) == once


def test_nested_values_are_redacted_and_so_is_every_value_with_a_secret_name() -> None:
    value = {
        "spec": [{"uri": f"https://h/m?sig={S}", "size": 3}],
        "api_key": S,
        "Authorization": [S],
        "e": ValueError(S),
    }
    redacted = redact_value({**value, "e": ValueError(f"token={S}")})
    assert S not in json.dumps(redacted)
    assert redacted["spec"][0]["size"] == 3


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        (f"https://u:{S}@h/m.pth?file=a.pt&token={S}", "https://***@h/m.pth?file=***&token=***"),
        (f"https://h/m.pth?{S}", "https://h/m.pth?***"),
        ("file:///models/a?b=c.pt", "file:///models/a?b=c.pt"),
        ("models:/faces@champion", "models:/faces@champion"),
        ("s3://bucket/a@2x.pt", "s3://bucket/a@2x.pt"),
    ],
)
def test_redact_retains_the_names_of_the_query_parameters_of_a_file_uri(uri: str, shown: str) -> None:
    assert strip_query_values(uri) == shown


def test_redact_urls_changes_only_the_urls_of_a_sentence() -> None:
    message = f"'https://h/m?sig={S}' is damaged; write token: x, s3://, file:///a?b, or (https://h:1/x?y)."
    hidden = "'https://h/m?***' is damaged; write token: x, s3://, file:///a?b, or (https://h:1/x?***)."
    assert redact_urls(message) == hidden


@pytest.mark.parametrize("text", HOSTILE)
def test_a_text_that_is_cut_never_ends_with_a_part_of_a_secret(text: str) -> None:
    for at in range(len(text) + 1):
        prefix = "x" * (MAX_TEXT - at - 1) + " "
        shown = redact(f"{prefix}{text} and more {'y ' * MAX_TEXT}").replace(prefix, "")
        assert all(S[:length] not in shown for length in range(3, len(S) + 1)), shown
        assert shown.endswith(f"[cut, {len(prefix) + len(text) + 10 + 2 * MAX_TEXT:,} characters in all]")


def test_a_url_whose_query_is_cut_retains_its_path() -> None:
    assert redact(f"https://h/a/b.pt?sig={S * 400}") == "https://h/a/b.pt?***[cut, 5,221 characters in all]"


@pytest.mark.parametrize(
    "text",
    [
        f"...https://user:{S}@host/path",
        f"-https://user:{S}@host/path",
        f"jdbc:postgresql://user:{S}@host/path",
        f"https://proxy/https://user:{S}@host/path",
        f"https://u@a:{S}@host/path",
        f"_token={S}",
        f"a=token={S}",
        f"x-sig={S}",
        f"x-eyJhbGciOiJIUzI1NiJ9.{S}.{S}",
    ],
)
def test_a_secret_is_redacted_after_any_preceding_text(text: str) -> None:
    assert S not in redact(text)
