"""Errors of authentication, authorisation and API keys."""

from service.errors.base import LimitExceeded, NotFound, SalienceError


class Unauthenticated(SalienceError):
    """Authentication failed."""

    kind = "unauthorized"


class ApiKeyMissing(Unauthenticated):
    """The request has no API key. Send `Authorization: Bearer KEY`; `salience keys create` makes a key."""

    kind = "key-missing"


class ApiKeyRefused(Unauthenticated):
    """{reason}. Create another key with `salience keys create`."""

    kind = "key-refused"


class ScopeMissing(SalienceError):
    """The API key has the scope `{scope}`, but this request needs the scope `{needed}`. Use a key with that scope."""

    kind = "scope-missing"


class TooManyRequests(LimitExceeded):
    """This API key sent more than {most} requests within a minute. Wait, or raise SALIENCE_RATE_LIMIT_PER_MINUTE."""

    kind = "too-many-requests"


class CrossSiteForm(SalienceError):
    """The form does not come from a page of this service. Open the page of this service and send the form again."""

    kind = "foreign-form"


class ApiKeyNotFound(NotFound):
    """There is no API key {prefix}. `salience keys list` lists the keys."""

    kind = "key-not-found"


class InvalidApiKey(SalienceError):
    """{field}: {detail}"""

    kind = "key-unfit"


class ApiKeysRequired(SalienceError):
    """Anyone who reaches {host} could use this service, because it has no API keys. Create one with
    `salience keys create --name NAME --scope submit`, or listen on 127.0.0.1 (SALIENCE_HOST)."""

    kind = "keys-needed"
