"""Settings from files: SALIENCE_X_FILE names the file that holds SALIENCE_X, as containers are given secrets."""

import os
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

SUFFIX = "_FILE"


class SecretFiles(PydanticBaseSettingsSource):
    """Reads the files that the environment names. Raises ValueError where one cannot be read, or is one too many."""

    def __init__(self, settings: type[BaseSettings], prefix: str) -> None:
        super().__init__(settings)
        self._prefix = prefix

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002  # as asked
        """What the file holds, without the line break at its end; None where the environment names no file."""
        name = f"{self._prefix}{field_name}".upper()
        path = os.environ.get(name + SUFFIX)
        if not path:
            return None, field_name, False
        if os.environ.get(name):
            raise ValueError(f"set {name} or {name}{SUFFIX}, not both")
        try:
            return Path(path).read_text(encoding="utf-8").rstrip("\r\n"), field_name, False
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"{name}{SUFFIX}: {path} cannot be read: {error}") from error

    def __call__(self) -> dict[str, Any]:
        """The settings found so."""
        found = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in found.items() if value is not None}
