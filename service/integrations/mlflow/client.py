"""Client of MLflow's REST API, for the model registry and for the workers. This module knows nothing of audits.

URL and credentials come from the environment variables that MLflow's own clients read.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

import httpx

from service.errors import RegistryUnavailable, SettingsInvalid
from service.telemetry.redaction import redact

API = "/api/2.0/mlflow"
PAGE_SIZE = 200
READY = "READY"
TIMEOUT = httpx.Timeout(10, connect=5)
INVALID_URL = "MLFLOW_TRACKING_URI is not a valid URL; percent-encode special characters in its user name and password"
# MLflow's filters cannot escape a quote, and the databases below MLflow differ in how they treat a backslash.
UNQUOTABLE = str.maketrans(dict.fromkeys("'\\", "_"))


def tracking_server() -> str:
    """Return MLFLOW_TRACKING_URI without a final slash, or an empty string if it is not an HTTP(S) URL."""
    url = os.environ.get("MLFLOW_TRACKING_URI", "")
    return url.rstrip("/") if url.startswith(("http://", "https://")) else ""


def open_http_client(url: str, timeout: httpx.Timeout | float, follow_redirects: bool = False) -> httpx.Client:
    """Return an HTTP client of an MLflow server with the credentials in the environment. Raises SettingsInvalid."""
    token, user = os.environ.get("MLFLOW_TRACKING_TOKEN"), os.environ.get("MLFLOW_TRACKING_USERNAME")
    headers = {"Authorization": f"Bearer {token}"} if token else None
    auth = (user, os.environ.get("MLFLOW_TRACKING_PASSWORD", "")) if user else None
    try:
        return httpx.Client(
            base_url=url, headers=headers, auth=auth, timeout=timeout, follow_redirects=follow_redirects
        )
    except httpx.InvalidURL:  # the message of the error may contain a part of the password
        raise SettingsInvalid(detail=INVALID_URL) from None


@dataclass(frozen=True)
class ModelVersion:
    """A version of a registered model in the registry."""

    name: str
    version: str
    status: str
    tags: Mapping[str, str]

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> "ModelVersion":
        """Parse a version in a response."""
        tags = {each["key"]: each.get("value", "") for each in raw.get("tags", ())}
        return cls(raw["name"], str(raw["version"]), raw.get("status", READY), tags)


@dataclass(frozen=True)
class MlflowClient:
    """A client of the registry. Every method raises RegistryUnavailable if a request fails; a retry may succeed."""

    client: httpx.Client

    @classmethod
    @contextmanager
    def connect(cls, url: str) -> Iterator[Self]:
        """Open a client of the registry at a URL. Raises SettingsInvalid."""
        with open_http_client(url.rstrip("/"), TIMEOUT) as client:
            yield cls(client)

    def version(self, name: str, version: str) -> ModelVersion | None:
        """Return a version; None if it does not exist."""
        found = self._get("model-versions/get", name=name, version=version)
        return ModelVersion.from_json(found["model_version"]) if found else None

    def aliased(self, name: str, alias: str) -> ModelVersion | None:
        """Return the version that has an alias; None if no version has it."""
        found = self._get("registered-models/get", name=name) or {"registered_model": {}}
        for each in found["registered_model"].get("aliases", ()):
            if each["alias"] == alias:
                return self.version(name, str(each["version"]))
        return None

    def versions(self, pattern: str) -> Iterator[ModelVersion]:
        """Yield all versions of the models whose names match an SQL LIKE pattern, newest first.

        Characters in UNQUOTABLE match any character, so the result may contain other models too.
        """
        query = {"filter": f"name LIKE '{pattern.translate(UNQUOTABLE)}'", "max_results": str(PAGE_SIZE)}
        query["order_by"] = "creation_timestamp DESC"
        while True:
            found = self._get("model-versions/search", **query) or {}
            yield from map(ModelVersion.from_json, found.get("model_versions", ()))
            if not found.get("next_page_token"):
                return
            query["page_token"] = found["next_page_token"]

    def set_tag(self, name: str, version: str, key: str, value: str) -> None:
        """Set a tag of a version."""
        self._post("model-versions/set-tag", name=name, version=version, key=key, value=value)

    def set_alias(self, name: str, alias: str, version: str) -> None:
        """Assign an alias to a version."""
        self._post("registered-models/alias", name=name, alias=alias, version=version)

    @property
    def _shown_url(self) -> str:
        """The URL of the registry without its password."""
        return redact(str(self.client.base_url))

    def _get(self, call: str, **query: str) -> Any:
        return self._request("GET", call, params=query)

    def _post(self, call: str, **body: str) -> None:
        self._request("POST", call, json=body)

    def _request(self, method: str, call: str, **request: Any) -> Any:
        """Return the response as JSON; None if the requested object does not exist."""
        try:
            response = self.client.request(method, f"{API}/{call}", **request)
            body = response.json() if response.content else {}
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise RegistryUnavailable(url=self._shown_url, reason=f"does not answer: {error!r}") from error
        except ValueError as error:
            message = f"answered {call} with {response.status_code} and without JSON"
            raise RegistryUnavailable(url=self._shown_url, reason=message) from error
        if response.is_success:
            return body
        if isinstance(body, dict) and body.get("error_code") == "RESOURCE_DOES_NOT_EXIST":
            return None
        message = body.get("message", "") if isinstance(body, dict) else ""
        reason = f"answered {call} with {response.status_code}: {message}"
        raise RegistryUnavailable(url=self._shown_url, reason=reason)
