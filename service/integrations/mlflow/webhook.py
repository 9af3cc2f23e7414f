"""Webhook deliveries from MLflow: checks their signature and time, and reads which version they report. Pure.

MLflow signs "{delivery id}.{timestamp}.{body}" with the webhook's secret, and retries with the same headers.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from service.errors import DeliveryMalformed, DeliveryRefused
from service.integrations.mlflow.tags import COHORT
from service.integrations.signatures import is_timely, matches, sign

WINDOW_SECONDS = 300.0
MAX_ID_CHARACTERS = 200


@dataclass(frozen=True)
class Delivery:
    """A received delivery: values of its headers, and its body."""

    id: str
    timestamp: str
    signature: str
    body: bytes

    def check(self, secret: str, now: float) -> None:
        """Raise DeliveryRefused unless the signature is valid and the time is close to `now`."""
        if not 0 < len(self.id) <= MAX_ID_CHARACTERS or "\0" in self.id:
            raise DeliveryRefused(reason="X-MLflow-Delivery-Id is missing or too long")
        expected = sign(secret.encode(), self.id, self.timestamp, self.body)
        if not matches(self.signature, [expected]):
            raise DeliveryRefused(
                reason="X-MLflow-Signature does not match the body; the secret of the webhook must equal "
                "SALIENCE_MLFLOW_SECRET"
            )
        if not is_timely(self.timestamp, now, WINDOW_SECONDS):
            raise DeliveryRefused(
                reason=f"X-MLflow-Timestamp is more than {WINDOW_SECONDS:g} s away from this server's clock"
            )

    def subject(self) -> tuple[str, str] | None:
        """Return name and version of the model to audit; None for other events. Raises DeliveryMalformed."""
        try:
            payload = json.loads(self.body)
            event, data = f"{payload['entity']}.{payload['action']}", payload["data"]
            if event == "model_version.created" or (event == "model_version_tag.set" and data["key"] == COHORT):
                return _subject(data)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise DeliveryMalformed(reason=f"{type(error).__name__}: {error}") from error
        return None


def _subject(data: Mapping[str, object]) -> tuple[str, str]:
    name, version = data["name"], data["version"]
    if not isinstance(name, str) or not isinstance(version, str) or not (version.isascii() and version.isdigit()):
        raise ValueError("data.name must be a string, and data.version a string of digits")
    name.encode()  # raises ValueError for a lone surrogate, which no database can store
    if not 0 < len(name) <= 256 or "\0" in name or len(version) > 32:
        raise ValueError("data.name or data.version is too long")
    return name, version
