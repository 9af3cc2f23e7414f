"""Settings of the processes, read once from environment variables whose names start with `SALIENCE_`."""

from service.settings.limits import JobLimits
from service.settings.service import ServiceSettings
from service.settings.store import PREFIX, StoreSettings

__all__ = ["PREFIX", "JobLimits", "ServiceSettings", "StoreSettings"]
