"""Ways to knock at a live HTTPS door on the loopback address."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
from typing import Any

import attrs
from twisted.internet import defer
from twisted.internet.threads import deferToThread


@attrs.frozen
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def field(self) -> str | None:
        """The place that a problem document names."""
        assert self.headers["Content-Type"] == "application/problem+json", self
        assert self.json["status"] == self.status
        assert self.json["detail"].endswith((".", "?")) or self.json["detail"], self
        field: str | None = self.json.get("field")
        return field


def basic(user: str | None) -> dict[str, str]:
    """Users have their name twice as PIN."""
    if user is None:
        return {}
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{user * 2}".encode()).decode()}


class Client:
    """Asks the door on ``port`` whose certificate is in the file ``pem``."""

    def __init__(self, port: int, pem: str) -> None:
        self.port = port
        self.pem = pem
        self.tls = ssl.create_default_context(cafile=pem)

    def connection(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=10, context=self.tls)

    def request_in_thread(
        self, method: str, path: str, user: str | None, body: Any, headers: dict[str, str]
    ) -> Answer:
        connection = self.connection()
        try:
            connection.request(method, path, body, {**basic(user), **headers})
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def request(
        self,
        method: str,
        path: str,
        user: str | None = "200",
        body: Any = None,
        **headers: str,
    ) -> defer.Deferred[Answer]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return deferToThread(self.request_in_thread, method, path, user, body, named)

    def get(self, path: str, user: str | None = "200", **headers: str) -> defer.Deferred[Answer]:
        return self.request("GET", path, user, **headers)

    def send(
        self, method: str, path: str, value: Any, user: str | None = "200", **headers: str
    ) -> defer.Deferred[Answer]:
        """``value`` as a body of JSON, bytes as they are."""
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        named = {"Content-Type": "application/json", **headers}
        return self.request(method, path, user, body, **named)
