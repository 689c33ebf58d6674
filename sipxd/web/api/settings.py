"""Settings as ``/sipxconfig/api`` tells them, of whatever they are (8.1, 8.2)."""

from __future__ import annotations

from typing import Any

import attrs

from sipxd.directory.setting import Setting


@attrs.frozen
class Value:
    """A setting, and what it is set to."""

    setting: Setting
    value: str


def setting_document(thing: Value, form: bytes) -> dict[str, Any]:
    """A setting as it is told: path, type, options, value, defaultValue, label, description."""
    setting = thing.setting
    return {
        "path": setting.path,
        "type": str(setting.type),
        "options": None if setting.options is None else dict(setting.options),
        "value": thing.value,
        "defaultValue": setting.default,
        "label": setting.label,
        "description": setting.description,
    }
