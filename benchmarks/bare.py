"""The baseline of ``click_to_call`` and ``cascade``: a server that answers and knows nothing.

PUT /call/NUMBER over TLS by Klein, and every UDP datagram sent back: the network work of a
click-to-call, with no call behind it.  Arguments: certificate and key; prints its two ports.
"""

from __future__ import annotations

import sys
from typing import Any

from klein import Klein
from twisted.internet import reactor as global_reactor
from twisted.internet import ssl
from twisted.internet.protocol import DatagramProtocol
from twisted.web.server import Request, Site


class Echo(DatagramProtocol):
    """Sends every datagram back."""

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        self.transport.write(datagram, addr)  # type: ignore[union-attr]


def main(certificate: str, key: str) -> None:
    """Serve until killed."""
    app = Klein()

    @app.route("/call/<number>", methods=["PUT"])
    def put_call(request: Request, number: str) -> bytes:
        request.setHeader(b"Content-Length", b"0")
        return b""

    reactor: Any = global_reactor
    context = ssl.DefaultOpenSSLContextFactory(key, certificate)
    site = Site(app.resource())
    site.log = lambda request: None  # type: ignore[method-assign]
    web = reactor.listenSSL(0, site, context, interface="127.0.0.1")
    udp = reactor.listenUDP(0, Echo(), interface="127.0.0.1")
    print(web.getHost().port, udp.getHost().port, flush=True)
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
