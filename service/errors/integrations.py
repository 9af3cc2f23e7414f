"""Errors of webhooks and of the model registry."""

from service.errors.base import Conflict, NotFound, SalienceError


class WebhookNotFound(NotFound):
    """There is no webhook {webhook}."""

    kind = "webhook-not-found"


class TooManyWebhooks(Conflict):
    """There are already {most} webhooks, which is the maximum. Delete one first."""

    kind = "too-many-webhooks"


class DeliveryRepeated(Conflict):
    """Delivery {delivery} was already accepted. The repetition is ignored."""

    kind = "delivery-repeated"


class DeliveryRefused(SalienceError):
    """The delivery is refused: {reason}."""

    kind = "delivery-refused"


class DeliveryMalformed(SalienceError):
    """The delivery is not a valid webhook of a registry: {reason}."""

    kind = "delivery-malformed"


class RegistryUnavailable(SalienceError):
    """The registry at {url} {reason}"""

    kind = "registry-trouble"
