"""The settings of users, of one's own and of user groups (8.2, 8.3)."""

from __future__ import annotations

import csv
import io

from klein import Klein
from twisted.web.server import Request

from sipxd.directory.file_text import decode_file
from sipxd.errors import SipxdError
from sipxd.service.setting_values import SettingValues
from sipxd.service.user_groups import UserGroups
from sipxd.web.api.base import API, administrator, find_user, read_text, text_answer
from sipxd.web.api.settings import read_settings, settings_answer
from sipxd.web.api.user_groups import find_group, refuse_own
from sipxd.web.auth import Authenticator, shield
from sipxd.web.negotiate import empty_answer
from sipxd.web.problems import HttpProblem
from sipxd.web.services import Accounts
from sipxd.web.upload import only_file

USERS = f"{API}/users"
MY = f"{API}/my/user"
GROUPS = f"{API}/userGroups"
MAX_LINES = 10_000


def add_user_settings_routes(
    app: Klein, authenticator: Authenticator, accounts: Accounts, settings: SettingValues
) -> None:
    """Add what is set of users."""

    @app.route(f"{USERS}/<name>/settings", methods=["GET"])
    @app.route(f"{USERS}/<name>/settings/<path:path>", methods=["GET"])
    async def get_settings(request: Request, name: str, path: str = "") -> bytes:
        await administrator(authenticator, request)
        return await settings_answer(request, await settings.of(find_user(accounts, name)), path)

    @app.route(f"{USERS}/<name>/settings", methods=["PUT"])
    async def put_settings(request: Request, name: str) -> bytes:
        await administrator(authenticator, request)
        user = find_user(accounts, name)
        await shield(settings.change(user, read_settings(request)))
        return empty_answer(request, 200)

    @app.route(f"{USERS}/<name>/settings/<path:path>", methods=["PUT"])
    async def put_setting(request: Request, name: str, path: str) -> bytes:
        await administrator(authenticator, request)
        user = find_user(accounts, name)
        await shield(settings.change(user, {path.strip("/"): read_text(request)}))
        return empty_answer(request, 200)

    @app.route(f"{USERS}/<name>/settings/<path:path>", methods=["DELETE"])
    async def delete_setting(request: Request, name: str, path: str) -> bytes:
        await administrator(authenticator, request)
        user = find_user(accounts, name)
        await shield(settings.change(user, {path.strip("/"): None}))
        return empty_answer(request, 200)

    @app.route(f"{USERS}/upload/settings/<path:path>", methods=["PUT"])
    async def upload_settings(request: Request, path: str) -> bytes:
        await administrator(authenticator, request)
        known = path.strip("/")
        try:
            rows = _rows(only_file(request))
            wanted = [(find_user(accounts, name), value) for name, value in rows]
            await shield(settings.change_of_many(known, wanted))
        except SipxdError as error:
            raise HttpProblem(417, error.detail) from None
        return text_answer(request, 200, "upload success")

    @app.route(f"{MY}/settings", methods=["GET"])
    @app.route(f"{MY}/settings/<path:path>", methods=["GET"])
    async def get_my_settings(request: Request, path: str = "") -> bytes:
        user = await authenticator.user(request)
        return await settings_answer(request, await settings.of(user), path)


def add_group_settings_routes(
    app: Klein, authenticator: Authenticator, groups: UserGroups, settings: SettingValues
) -> None:
    """Add what is set of user groups."""

    @app.route(f"{GROUPS}/<name>/settings", methods=["GET"])
    @app.route(f"{GROUPS}/<name>/settings/<path:path>", methods=["GET"])
    async def get_settings(request: Request, name: str, path: str = "") -> bytes:
        await administrator(authenticator, request)
        group = await find_group(groups, name)
        return await settings_answer(request, await settings.of_group(group), path)

    @app.route(f"{GROUPS}/<name>/settings", methods=["PUT"])
    async def put_settings(request: Request, name: str) -> bytes:
        user = await administrator(authenticator, request)
        group = await find_group(groups, name)
        refuse_own(user, group)
        await shield(settings.change_group(group, read_settings(request)))
        return empty_answer(request, 200)

    @app.route(f"{GROUPS}/<name>/settings/<path:path>", methods=["PUT"])
    async def put_setting(request: Request, name: str, path: str) -> bytes:
        user = await administrator(authenticator, request)
        group = await find_group(groups, name)
        refuse_own(user, group)
        await shield(settings.change_group(group, {path.strip("/"): read_text(request)}))
        return empty_answer(request, 200)

    @app.route(f"{GROUPS}/<name>/settings/<path:path>", methods=["DELETE"])
    async def delete_setting(request: Request, name: str, path: str) -> bytes:
        user = await administrator(authenticator, request)
        group = await find_group(groups, name)
        refuse_own(user, group)
        await shield(settings.change_group(group, {path.strip("/"): None}))
        return empty_answer(request, 200)


def _rows(data: bytes) -> list[tuple[str, str]]:
    """User names and values. Raises HttpProblem (417)."""
    rows: list[tuple[str, str]] = []
    reader = csv.reader(io.StringIO(decode_file(data), newline=""))
    try:
        for row in reader:
            if not row:
                continue
            if len(row) != 2:
                sentence = "give the name of a user, a comma and a value."
                raise HttpProblem(417, f"Line {reader.line_num}: {sentence}")
            rows.append((row[0].strip(), row[1].strip()))
            if len(rows) > MAX_LINES:
                raise HttpProblem(417, f"A file may have at most {MAX_LINES} lines.")
    except csv.Error as error:
        raise HttpProblem(417, f"Line {reader.line_num} is no CSV: {error}.") from None
    return rows
