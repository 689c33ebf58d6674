"""Settings as ``/sipxconfig/api`` tells and takes them, of whatever they are (8.1, 8.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.web.server import Request

from sipxd.directory.setting import Value
from sipxd.service.setting_values import below
from sipxd.web.api.base import list_answer, object_answer, read_object
from sipxd.web.document import JsonNode

MAX_SETTINGS = 1000


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


async def settings_answer(request: Request, values: Sequence[Value], path: str = "") -> bytes:
    """Answer with all settings, or with the one of this path, or with those behind it."""
    path = path.strip("/")
    found = below(values, path) if path else values
    if len(found) == 1 and found[0].setting.path == path:
        return object_answer(request, "Setting", found[0], setting_document)
    return await list_answer(request, "Settings", "Setting", found, setting_document)


def read_settings(request: Request) -> dict[str, str | None]:
    """The values, by path, of a body that lists settings. Raises BadInput."""
    document = read_object(request, "Settings", ("settings", "Setting"))
    if isinstance(document, JsonNode):
        document = document.inside("settings")
    settings = document.items("Setting")
    if len(settings) > MAX_SETTINGS:
        raise document.refusal(f"may hold at most {MAX_SETTINGS}, not {len(settings)}")
    values: dict[str, str | None] = {}
    for setting in settings:
        path = setting.needed("path").as_text()
        values[path] = None if setting.member("value") is None else setting.text("value")
    return values
