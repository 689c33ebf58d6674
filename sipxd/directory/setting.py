"""The setting: a value that can be set by its path, as sipXcom has them (contract 8.2)."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping

import attrs

MAX_VALUE = 255
"""Characters of a value."""

_INTEGER = re.compile(r"-?[0-9]{1,9}", re.ASCII)


class SettingType(enum.StrEnum):
    """Of what kind a value is."""

    BOOLEAN = "boolean"
    INTEGER = "integer"
    STRING = "string"
    ENUM = "enum"


@attrs.frozen
class Setting:
    """What can be set. Values are text: of a boolean ``1`` or ``0``."""

    path: str
    """As in ``callfwd/timer``."""
    type: SettingType
    default: str
    label: str
    description: str = ""
    options: Mapping[str, str] | None = None
    """The values of an enumeration, with their labels."""

    def read(self, text: str) -> str:
        """The value that ``text`` means. Raises ValueError with the rule that it breaks."""
        if len(text) > MAX_VALUE or not text.isprintable():
            raise ValueError(f"must have at most {MAX_VALUE} printable characters")
        match self.type:
            case SettingType.BOOLEAN:
                value = {"1": "1", "0": "0", "true": "1", "false": "0"}.get(text.strip().lower())
                if value is None:
                    raise ValueError("must be 1 or 0")
                return value
            case SettingType.INTEGER:
                if not _INTEGER.fullmatch(text.strip()):
                    raise ValueError("must be a whole number")
                return str(int(text))
            case SettingType.ENUM:
                if text not in (self.options or {}):
                    raise ValueError(f"must be one of {', '.join(self.options or {})}")
        return text


@attrs.frozen
class Value:
    """A setting, and what it is set to."""

    setting: Setting
    value: str
