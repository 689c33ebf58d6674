"""The HTTPS site: what every request passes before a resource sees it, and the table of routes.

Klein routes; everything around it is ours, because its own answers are HTML, it logs a traceback
for a path that is not UTF-8, and a Host header of dots makes it fail.  So such requests are
refused here, and Klein is not shown the Host header: nothing that we answer depends on it.
"""

# mypy: disable-error-code="no-untyped-call"
# (twisted.web is annotated in part only)

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Collection
from http import HTTPMethod
from importlib import resources
from io import BytesIO
from typing import Any
from urllib.parse import unquote_to_bytes

from klein import Klein
from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.twisted import MetricsResource
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.python.failure import Failure
from twisted.web.http import datetimeToString
from twisted.web.resource import IResource
from twisted.web.server import Request, Site
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import BaseConverter, Map, RuleFactory

from sipxd import metrics
from sipxd.web import cors, problems
from sipxd.web.api.base import without_suffix
from sipxd.web.auth import Authenticator
from sipxd.web.channel import IDLE_SECONDS, Channel, Refused
from sipxd.web.digest import DigestLogins
from sipxd.web.plugin import Resources
from sipxd.web.rest.call_controller import add_call_controller_routes
from sipxd.web.rest.diagnose import add_cdr_routes
from sipxd.web.routes import add_routes
from sipxd.web.services import Configured, Services
from sipxd.web.soap.envelope import Fault, Version, write_fault
from sipxd.web.soap.schema import PATH as SERVICES

METHODS = frozenset(method.value.encode("ascii") for method in HTTPMethod)
PRIVATE = [b"sipxconfig", b"rest", b"private"]
MY = [b"sipxconfig", b"rest", b"my"]
SECRETS = ([*MY, b"portal", b"password"], [*MY, b"voicemail", b"pin"])
"""What a secret follows in the path (contract 3.13)."""
SOAP = f"{SERVICES}/".encode("ascii")
BODY_IN_MEMORY = 65_536
"""Bytes of a body kept in memory; a larger one goes to a temporary file while it arrives."""


class LimitedRequest(Request):
    """A request of :class:`LimitedSite`."""

    site: LimitedSite
    channel: Channel
    content: Any  # a binary file, closed by twisted.web
    defaultContentType = None
    private_key: str | None = None
    """The private key that stood in the path."""
    form: bytes | None = None
    """The media type that the end of the path asks for (contract 8.1)."""
    secret: str = ""
    """The password or PIN that stood at the end of the path."""
    asked: bytes = b""
    """The URI as it came, where ``uri`` does not tell it."""
    _received = 0

    def gotLength(self, length: int | None) -> None:
        if length is None or length > BODY_IN_MEMORY:
            self.content = tempfile.SpooledTemporaryFile(BODY_IN_MEMORY)  # noqa: SIM115
        else:
            self.content = BytesIO()

    def handleContentChunk(self, data: bytes) -> None:
        # The length that was announced is checked by the channel; chunks announce nothing.
        if self.channel.refused:
            return
        self._received += len(data)
        if self._received > self.channel.site.body_limit:
            self.channel.refuse(
                413, f"The body is larger than {self.channel.site.body_limit} bytes."
            )
            return
        self.content.write(data)

    def process(self) -> None:
        """Refuse what must not reach the router, else decode the path once and route it."""
        self.site = self.channel.site
        self.responseHeaders.setRawHeaders(b"Date", [self.site.date()])
        if self.site.origins and cors.answered(self, self.site.origins):
            return
        path = self.path
        if path.startswith((b"http://", b"https://")):  # RFC 9112 section 3.2.2
            path = b"/" + path.split(b"/", 3)[3] if path.count(b"/") > 2 else b"/"
        encoded = path
        if b"%" in path:
            path = unquote_to_bytes(path)
        try:
            path.decode("utf-8")
        except UnicodeDecodeError:
            self._refuse(400, "The path is not UTF-8.")
            return
        if not path.startswith(b"/"):
            self._refuse(400, "The path does not begin with a slash.")
        elif b"\0" in path:  # which no name has, and PostgreSQL takes in no text
            self._refuse(400, "The path has the character U+0000.")
        elif self.method not in METHODS:
            self._refuse(501, "This method is not known here.")
        else:
            self.prepath = []
            segments = self._keyed(path[1:].split(b"/"))
            segments = self._without_secret(segments, encoded.endswith(b"/"))
            self.postpath, self.form = without_suffix(segments)
            try:
                self.render(self.site.getResourceFor(self))
            except Exception:
                self.processingFailed(Failure())

    def _keyed(self, path: list[bytes]) -> list[bytes]:
        """The path without the private key that may stand in it (contract 1.3.5)."""
        if path[:3] != PRIVATE or len(path) < 4:
            return path
        self.private_key = path[3].decode("utf-8")
        self.path = self.uri = b"/sipxconfig/rest/private"  # no log shall have the key
        rest = path[4:]
        return [*MY[: 2 if rest[:1] == [b"call"] else 3], *rest]

    def _without_secret(self, path: list[bytes], slash: bool) -> list[bytes]:
        """The path with stars for a secret at its end; ``slash``: whether one follows that."""
        if path[:5] not in SECRETS:
            return path
        # A slash of the secret itself is encoded.
        self.secret = b"/".join(path[5 : -1 if slash else None]).decode("utf-8")
        self.asked = self.asked or self.uri
        self.path = self.uri = b"/" + b"/".join(path[:5])  # no log shall have it
        return [*path[:5], b"***"]

    def _refuse(self, status: int, detail: str) -> None:
        failure = Failure(problems.HttpProblem(status, detail))
        self.write(problems.render(self, failure))
        self.finish()

    def processingFailed(self, reason: Failure) -> Failure:
        """What even the router's error handler did not catch."""
        body = problems.render(self, reason)
        if not self.startedWriting:
            self.write(body)
        self.finish()
        return reason

    # Klein asks for these to build absolute URLs, which nothing here uses.

    def getRequestHostname(self) -> bytes:
        return b"sipxd"

    def isSecure(self) -> bool:
        return True


class LimitedSite(Site):
    """Counts connections, keeps the date, writes no access log (the call record is the log)."""

    protocol = Channel  # type: ignore[assignment]  # not the wrapper that negotiates HTTP/2
    requestFactory = LimitedRequest

    noisy = False

    def __init__(
        self,
        resource: IResource,
        reactor: IReactorTime,
        *,
        header_limit: int,
        body_limit: int,
        connection_limit: int,
        host: str = "",
        origins: Collection[str] = (),
    ) -> None:
        super().__init__(
            resource,
            requestFactory=LimitedRequest,
            parsePOSTFormSubmission=False,
            timeout=IDLE_SECONDS,
            reactor=reactor,
        )
        self.header_limit = header_limit
        """Bytes of request line and header."""
        self.body_limit = body_limit
        """Bytes of a body."""
        self.connection_limit = connection_limit
        self.host = host
        """What SOAP faults say that they come from."""
        self.origins = frozenset(origin.encode("ascii") for origin in origins)
        """The origins of web pages that may use this site."""
        self.connections = 0
        self.waiting: dict[Channel, None] = {}
        """Connections without a complete request, the one that waits longest first."""
        self._date = (0, b"")

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """A channel; when there are too many, in place of the one that has waited longest."""
        if self.connections >= self.connection_limit:
            metrics.http_refused_connections.inc()
            if not self.waiting:
                return Refused()
            longest = next(iter(self.waiting))
            del self.waiting[longest]
            longest.forceAbortClient()
        return super().buildProtocol(addr)

    def refusal(self, path: bytes, status: int, detail: str) -> tuple[int, bytes, bytes]:
        """Status, body and media type where a request is refused before it is complete.

        Clients of SOAP are told in a fault what they can mend: that the body is too large.
        """
        if status == 413 and path.startswith(SOAP):
            fault = write_fault(Version.SOAP_11, Fault(detail), self.host)
            return 500, fault, Version.SOAP_11.content_type
        return status, problems.problem(status, detail), problems.PROBLEM_JSON

    def date(self) -> bytes:
        """The Date header, made once a second."""
        now = int(self.reactor.seconds())
        if self._date[0] != now:
            self._date = (now, datetimeToString(now))
        return self._date[1]

    def acceptableProtocols(self) -> list[bytes]:
        return [b"http/1.1"]

    def startFactory(self) -> None:
        """No access log, and no timer for its date."""

    def stopFactory(self) -> None:
        """Nothing was started."""

    def log(self, request: object) -> None:
        """No access log."""


class TextConverter(BaseConverter):
    """The rest of the path, slashes and line breaks included; judging it is no routing."""

    part_isolating = False
    regex = "(?s:.*)"


class RouteMap(Map):
    """Matches paths.

    It is never asked to build one, for which werkzeug would compile two functions of each route:
    0.3 s of a start in all.
    """

    def add(self, rulefactory: RuleFactory) -> None:
        """Add a route, without what builds its path."""
        rulefactory._compile_builder = _no_builder  # type: ignore[attr-defined]
        super().add(rulefactory)


def _no_builder(append_unknown: bool = True) -> Callable[..., Any]:
    def build(rule: object, **values: object) -> Any:
        raise RuntimeError("paths are matched here, and never built")

    return build


class Router(Klein):
    """Klein knows a handler by its name alone, and of two with the same one only the last."""

    def __init__(self) -> None:
        super().__init__()
        self._url_map = RouteMap(strict_slashes=False, merge_slashes=False, redirect_defaults=False)
        self._url_map.converters["text"] = TextConverter

    def route(self, url: str, *arguments: Any, **options: Any) -> Callable[[Any], Any]:
        """Add a handler under its whole name."""

        def add(handler: Any) -> Any:
            name = f"{handler.__module__}.{handler.__qualname__}"
            return Klein.route(self, url, *arguments, endpoint=name, **options)(handler)

        return add


def build_site(services: Services, *, reactor: IReactorTime) -> LimitedSite:
    """The site that is served over TLS."""
    app, authenticator = _new_app(), _authenticator(services)
    add_routes(app, authenticator, services)
    _add_public_routes(app, services.ready)
    Resources(app, authenticator, services).load(services.config.web.plugins)
    return _site(app, services.config, reactor)


def build_controller_site(services: Services, *, reactor: IReactorTime) -> LimitedSite:
    """The site with the call controller and the call log alone, as sipXcom has it on 6667."""
    app, authenticator = _new_app(), _authenticator(services)
    add_cdr_routes(app, authenticator, services.call_log, "")
    add_call_controller_routes(app, authenticator, services.call_controller, "")
    return _site(app, services.config, reactor)


def _authenticator(services: Services) -> Authenticator:
    realm = services.config.realm_or_domain
    digest = None
    if services.config.web.digest:
        digest = DigestLogins(services.accounts, realm, os.urandom(32), time.time)
    return Authenticator(services.accounts, services.tokens, realm, digest)


def _new_app() -> Router:
    app = Router()
    app.handle_errors(Exception)(_on_error)  # type: ignore[arg-type]
    return app


def _site(app: Klein, config: Configured, reactor: IReactorTime) -> LimitedSite:
    return LimitedSite(
        app.resource(),
        reactor,
        header_limit=config.limits.http_header,
        body_limit=config.limits.http_body,
        connection_limit=config.limits.http_connections,
        host=config.domain,
        origins=config.web.cors_origins,
    )


def build_metrics_site(
    *, reactor: IReactorTime, registry: CollectorRegistry = REGISTRY
) -> LimitedSite:
    """The site with ``/metrics`` alone, for a plain listener on the loopback address."""
    app = Klein()
    metrics = MetricsResource(registry)

    @app.route("/metrics", methods=["GET"])
    def get_metrics(request: Request) -> IResource:
        return metrics

    app.handle_errors(Exception)(_on_error)  # type: ignore[arg-type]
    return LimitedSite(
        app.resource(), reactor, header_limit=16_384, body_limit=16_384, connection_limit=100
    )


def _add_public_routes(app: Klein, ready: Callable[[], bool]) -> None:
    contract = resources.files("sipxd.web.v1").joinpath("openapi.yaml").read_bytes()

    @app.route("/v1/openapi.yaml", methods=["GET"])
    def get_contract(request: Request) -> bytes:
        return problems.answer(request, 200, contract, b"application/yaml")

    @app.route("/healthz", methods=["GET"])
    def get_health(request: Request) -> bytes:
        return problems.answer(request, 200, b"ok\n", b"text/plain; charset=utf-8")

    @app.route("/readyz", methods=["GET"])
    def get_readiness(request: Request) -> bytes:
        if ready():
            return problems.answer(request, 200, b"ready\n", b"text/plain; charset=utf-8")
        return problems.answer(request, 503, b"not ready\n", b"text/plain; charset=utf-8")


def _on_error(request: Request, failure: Failure) -> bytes:
    """Errors of resources and of the router; OPTIONS is none on sipXcom's paths (1.3.7)."""
    error = failure.value
    if request.method == b"OPTIONS" and isinstance(error, HTTPException):
        options = (isinstance(error, MethodNotAllowed) and error.valid_methods) or ()
        if request.path.startswith((b"/sipxconfig/", b"/call/")):
            if options:
                request.setHeader(b"Allow", ", ".join(sorted({*options, "OPTIONS"})).encode())
            return problems.answer(request, 200, b"", b"")
    return problems.render(request, failure)
