"""An MLflow model registry, by its REST API. Knows nothing of audits.

Where it is and who asks is in the variables that MLflow's own clients read, as for the workers.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

import httpx

from service.errors import RegistryUnavailable, SettingsInvalid
from service.net.outgoing import open_client
from service.telemetry.redaction import redact

API = "/api/2.0/mlflow"
PAGE_SIZE = 200
READY = "READY"
# MLflow's filters know no escape for the quote, and the databases behind it differ in what a backslash is.
UNQUOTABLE = str.maketrans(dict.fromkeys("'\\", "_"))


def tracking_server() -> str:
    """Its URL; empty where there is none that is asked over HTTP."""
    found = os.environ.get("MLFLOW_TRACKING_URI", "")
    return found if found.startswith(("http://", "https://")) else ""


@dataclass(frozen=True)
class ModelVersion:
    """A version of a registered model, as the registry has it."""

    name: str
    version: str
    status: str
    tags: Mapping[str, str]

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> "ModelVersion":
        """The version in an answer."""
        tags = {each["key"]: each.get("value", "") for each in raw.get("tags", ())}
        return cls(raw["name"], str(raw["version"]), raw.get("status", READY), tags)


@dataclass(frozen=True)
class MlflowClient:
    """The registry. Every method raises RegistryUnavailable, after which all may be well another time."""

    client: httpx.Client

    @classmethod
    @contextmanager
    def connect(cls, url: str) -> Iterator[Self]:
        """The registry at a URL, with the credentials in the environment."""
        token, user = os.environ.get("MLFLOW_TRACKING_TOKEN"), os.environ.get("MLFLOW_TRACKING_USERNAME")
        headers = {"Authorization": f"Bearer {token}"} if token else None
        auth = (user, os.environ.get("MLFLOW_TRACKING_PASSWORD", "")) if user else None
        try:
            client = open_client(url.rstrip("/"), headers, auth)
        except httpx.InvalidURL:  # whose text may hold a half of a password
            message = "MLFLOW_TRACKING_URI is no URL; percent-encode what is odd in its user and password"
            raise SettingsInvalid(detail=message) from None
        with client:
            yield cls(client)

    def version(self, name: str, version: str) -> ModelVersion | None:
        """A version; None where there is none."""
        found = self._get("model-versions/get", name=name, version=version)
        return ModelVersion.from_json(found["model_version"]) if found else None

    def aliased(self, name: str, alias: str) -> ModelVersion | None:
        """The version that an alias stands for; None where it stands for none."""
        found = self._get("registered-models/get", name=name) or {"registered_model": {}}
        for each in found["registered_model"].get("aliases", ()):
            if each["alias"] == alias:
                return self.version(name, str(each["version"]))
        return None

    def versions(self, names: str) -> Iterator[ModelVersion]:
        """All versions of the models whose names are like this, where % stands for any text and _ for any letter.

        Newest first. Found are also some whose names have another letter where this has one of UNQUOTABLE.
        """
        query = {"filter": f"name LIKE '{names.translate(UNQUOTABLE)}'", "max_results": str(PAGE_SIZE)}
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
        """Have an alias stand for a version."""
        self._post("registered-models/alias", name=name, alias=alias, version=version)

    @property
    def _shown_url(self) -> str:
        """Where it is, without the password that may stand in its URL."""
        return redact(str(self.client.base_url))

    def _get(self, call: str, **query: str) -> Any:
        return self._request("GET", call, params=query)

    def _post(self, call: str, **body: str) -> None:
        self._request("POST", call, json=body)

    def _request(self, method: str, call: str, **request: Any) -> Any:
        """The answer; None where it is that something does not exist."""
        try:
            answer = self.client.request(method, f"{API}/{call}", **request)
            body = answer.json() if answer.content else {}
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise RegistryUnavailable(url=self._shown_url, reason=f"does not answer: {error!r}") from error
        except ValueError as error:
            message = f"answered {call} with {answer.status_code} and no JSON"
            raise RegistryUnavailable(url=self._shown_url, reason=message) from error
        if answer.is_success:
            return body
        if isinstance(body, dict) and body.get("error_code") == "RESOURCE_DOES_NOT_EXIST":
            return None
        message = body.get("message", "") if isinstance(body, dict) else ""
        reason = f"answered {call} with {answer.status_code}: {message}"
        raise RegistryUnavailable(url=self._shown_url, reason=reason)
