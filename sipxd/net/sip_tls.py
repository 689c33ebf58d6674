"""TLS for SIP: our certificate for those who connect, and whom we believe where we do (RFC 5922).

TLS 1.2 is the oldest version (RFC 8996).  The names of a certificate are judged by
service-identity: DNS names and IP addresses in subjectAltName, never the common name.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from twisted.internet.ssl import (
    Certificate,
    CertificateOptions,
    TLSVersion,
    optionsForClientTLS,
    platformTrust,
    trustRootFromCertificates,
)

from sipxd.errors import ConfigError

_NAMES = 256
"""Peers whose settings are kept, so that the CA file is not read for each connection."""


class SipTls:
    """``server`` shows our certificate; the CAs of the PEM file ``ca`` (None: the system's own)
    decide whom we believe.  Raises ConfigError where the file is none of certificates.
    """

    def __init__(self, server: CertificateOptions, ca: Path | None) -> None:
        self.server = server
        trust = platformTrust() if ca is None else trustRootFromCertificates(_authorities(ca))

        @functools.lru_cache(_NAMES)
        def client(name: str) -> Any:
            return optionsForClientTLS(
                name,
                trustRoot=trust,
                extraCertificateOptions={"insecurelyLowerMinimumTo": TLSVersion.TLSv1_2},
            )

        self._client = client

    def client(self, name: str) -> Any:
        """The settings of a connection to a peer that has to be ``name``. Raises OSError."""
        try:
            return self._client(name)
        except ValueError as error:
            raise OSError(f"{name!r} is no name of a TLS server") from error


def _authorities(path: Path) -> list[Certificate]:
    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        raise ConfigError(
            f"The CA file {path} cannot be read ({error.strerror}): name another in [sip] ca, or "
            "none to believe the system's own.",
            field="sip.ca",
        ) from None
    except ValueError:
        raise ConfigError(
            f"{path} holds no certificates in PEM form: name another file in [sip] ca.",
            field="sip.ca",
        ) from None
    return [Certificate.loadPEM(one.public_bytes(Encoding.PEM)) for one in found]
