import base64
import time
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook

from service.integrations.signatures import is_timely, matches, sign

KEY = b"k" * 32


def test_a_signature_equals_the_one_that_the_standardwebhooks_package_makes() -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    official = Webhook("whsec_" + base64.b64encode(KEY).decode()).sign("m", now, '{"ä": 1}')
    assert sign(KEY, "m", str(int(now.timestamp())), '{"ä": 1}'.encode()) == official


def test_a_message_is_accepted_if_one_of_its_signatures_matches() -> None:
    own = sign(KEY, "m", "1", b"{}")
    assert matches(f"v1,AAAA {own}", [own])
    assert matches(own, ["v1,BBBB", own])
    for forged in ("", "v1,", own.removeprefix("v1,"), own[:-1], "v1,ä", own.replace("v1,", "v2,")):
        assert not matches(forged, [own])


@pytest.mark.parametrize("field", ["key", "message", "timestamp", "body"])
def test_every_part_of_a_message_changes_the_signature(field: str) -> None:
    signed = {"key": KEY, "message": "m", "timestamp": "1", "body": b"{}"}
    changed = {**signed, field: b"x" if isinstance(signed[field], bytes) else "2"}
    assert sign(**signed) != sign(**changed)  # type: ignore[arg-type]  # the values have different types


def test_a_timestamp_is_valid_if_it_differs_from_now_by_less_than_the_window() -> None:
    now = time.time()
    assert is_timely(str(int(now) - 299), now, 300)
    assert is_timely(str(int(now) + 299), now, 300)
    for invalid in (str(int(now) - 302), str(int(now) + 302), "", "now", "-1", "1e9", "٣", "9" * 400):
        assert not is_timely(invalid, now, 300)
