"""The error tree. Each error holds facts, and the docstring of its class is its message. See service.api.errors for
status codes.

SalienceError
├── SpecInvalid                   the spec of a job is invalid; lists every invalid field
├── InputRefused                  a model or an image set is unusable, or the job cannot finish; fails the job
│   ├── ModelRefused
│   ├── ImagesRefused
│   ├── TooManyUnreadable         more images were skipped than the spec allows
│   ├── ShardLost                 a shard failed, or lost its worker, too often
│   ├── ImagesMissing             an image has neither numbers nor a reason why it was skipped
│   ├── WorkMissing               an open job has no shard that could end it
│   ├── WorkFailed                an error that a retry does not fix
│   └── DeadlineExceeded
├── NotFound
│   ├── JobNotFound
│   ├── ArtifactNotFound
│   ├── ImageNotFound
│   ├── InspectionNotFound
│   ├── ApiKeyNotFound
│   ├── StaticFileNotFound
│   ├── PolicyNotFound
│   ├── VerdictNotFound           the job has no gate
│   └── WebhookNotFound
├── Conflict
│   ├── JobNotFinished
│   ├── JobHasNoResults
│   ├── JobEnded
│   ├── JobsNotComparable
│   ├── TooManyWebhooks
│   └── DeliveryRepeated
├── ComparisonIncomplete          a comparison needs two jobs
├── IdempotencyKeyReused
├── MapRefused                    a map cannot be made
├── CrossSiteForm                 another site sent a form of this service
├── Unauthenticated               the request has no valid API key
│   ├── ApiKeyMissing
│   └── ApiKeyRefused
├── ScopeMissing                  the API key does not allow the request
├── LimitExceeded                 a rate limit or a size limit
│   ├── TooManyRequests
│   ├── TooManyJobs
│   └── BodyTooLarge
├── InvalidApiKey                 an API key cannot be created with these options
├── ApiKeysRequired               the service would accept everybody
├── InspectionRefused             an inspection found an unusable model or image set
├── ArtifactRefused               an upload is too large, or its SHA-256 is wrong
├── ArtifactStoreUnavailable      an upload cannot be stored
├── CursorInvalid
├── FilterInvalid
├── NotAcceptable
├── DeliveryRefused               the signature or the age of a registry's delivery is wrong
├── DeliveryMalformed             a delivery is signed, but its content is invalid
├── RegistryUnavailable
├── NotConfigured                 the request needs a setting that the service does not have
├── SettingsInvalid               an environment variable has an invalid value
├── SpecUnreadable                a spec file is not JSON
├── DatabaseUnavailable           the database does not answer, or it broke off a transaction; a retry may succeed
│   └── DatabaseReadOnly
├── LeaseLost                     a worker lost its shard: the job was cancelled, or another worker has the shard
└── WorkerShuttingDown            a worker returns its shard because it is shutting down
"""

from service.errors.auth import (
    ApiKeyMissing,
    ApiKeyNotFound,
    ApiKeyRefused,
    ApiKeysRequired,
    CrossSiteForm,
    InvalidApiKey,
    ScopeMissing,
    TooManyRequests,
    Unauthenticated,
)
from service.errors.base import (
    BodyTooLarge,
    Conflict,
    CursorInvalid,
    FieldProblem,
    FilterInvalid,
    LimitExceeded,
    NotAcceptable,
    NotConfigured,
    NotFound,
    SalienceError,
    SettingsInvalid,
    StaticFileNotFound,
)
from service.errors.inputs import (
    ArtifactNotFound,
    ArtifactRefused,
    ImagesRefused,
    InputRefused,
    InspectionNotFound,
    InspectionRefused,
    ModelRefused,
    SpecInvalid,
    SpecUnreadable,
    naming_field,
    with_reason,
)
from service.errors.integrations import (
    DeliveryMalformed,
    DeliveryRefused,
    DeliveryRepeated,
    RegistryUnavailable,
    TooManyWebhooks,
    WebhookNotFound,
)
from service.errors.jobs import (
    ComparisonIncomplete,
    DeadlineExceeded,
    IdempotencyKeyReused,
    ImageNotFound,
    ImagesMissing,
    JobEnded,
    JobHasNoResults,
    JobNotFinished,
    JobNotFound,
    JobsNotComparable,
    LeaseLost,
    MapRefused,
    PolicyNotFound,
    ShardLost,
    TooManyJobs,
    TooManyUnreadable,
    VerdictNotFound,
    WorkerShuttingDown,
    WorkFailed,
    WorkMissing,
)
from service.errors.transient import (
    ArtifactStoreUnavailable,
    DatabaseReadOnly,
    DatabaseUnavailable,
)

__all__ = [
    "ApiKeyMissing", "ApiKeyNotFound", "ApiKeyRefused", "ApiKeysRequired", "ArtifactNotFound", "ArtifactRefused",
    "ArtifactStoreUnavailable", "BodyTooLarge", "ComparisonIncomplete", "Conflict", "CrossSiteForm",
    "CursorInvalid", "DatabaseReadOnly", "DatabaseUnavailable", "DeadlineExceeded", "DeliveryMalformed",
    "DeliveryRefused", "DeliveryRepeated", "FieldProblem", "FilterInvalid", "IdempotencyKeyReused", "ImageNotFound",
    "ImagesMissing", "ImagesRefused", "InputRefused", "InspectionNotFound", "InspectionRefused", "InvalidApiKey",
    "JobEnded", "JobHasNoResults", "JobNotFinished", "JobNotFound", "JobsNotComparable", "LeaseLost",
    "LimitExceeded", "MapRefused", "ModelRefused", "NotAcceptable", "NotConfigured", "NotFound", "PolicyNotFound",
    "RegistryUnavailable", "SalienceError", "ScopeMissing", "SettingsInvalid", "ShardLost", "SpecInvalid",
    "SpecUnreadable", "StaticFileNotFound", "TooManyJobs", "TooManyRequests", "TooManyUnreadable",
    "TooManyWebhooks", "Unauthenticated", "VerdictNotFound", "WebhookNotFound", "WorkFailed", "WorkMissing",
    "WorkerShuttingDown", "naming_field", "with_reason",
]  # fmt: skip
