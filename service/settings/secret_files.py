"""Settings from files: SALIENCE_X_FILE names a file that contains the value of SALIENCE_X, such as a Docker secret."""

import os
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

SUFFIX = "_FILE"


class SecretFiles(PydanticBaseSettingsSource):
    """Reads the files that the `_FILE` variables name.

    Raises ValueError for a file that cannot be read, and for a setting that has both variables.
    """

    def __init__(self, settings: type[BaseSettings], prefix: str) -> None:
        super().__init__(settings)
        self._prefix = prefix

    def get_field_value(
        self,
        field: FieldInfo,  # noqa: ARG002  # pydantic-settings passes it
        field_name: str,
    ) -> tuple[Any, str, bool]:
        """Return the file's content without the final line break, or None if no variable names a file."""
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
        """Return the values of the settings whose environment variables name a file that holds the value."""
        found = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in found.items() if value is not None}
