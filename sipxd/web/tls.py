"""The certificate of the HTTPS door: loading it with an explanation, making one to begin with.

TLS 1.2 is the oldest version offered (RFC 8996).  A wrong file is found when the daemon starts and
told in one sentence, not at the first handshake.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from OpenSSL import SSL
from twisted.internet.ssl import CertificateOptions, TLSVersion

from sipxd.config import Config
from sipxd.errors import ConfigError
from sipxd.net.sip_tls import SipTls

SELF_SIGNED_DAYS = 3650
WAY_OUT = "run `sipxd init`, or name another file in [{section}] {option}"


def load_sip_tls(config: Config) -> SipTls:
    """TLS for SIP as configured. Raises ConfigError."""
    server = load_context(
        config.sip_certificate_path,
        config.sip_private_key_path,
        "sip" if config.sip.certificate else "web",
    )
    return SipTls(server, config.sip_ca_path)


def load_context(certificate: Path, private_key: Path, section: str = "web") -> CertificateOptions:
    """The server side of TLS with these PEM files; ``certificate`` may hold a chain, ours first.

    ``section`` is that of the configuration which names them.

    Raises ConfigError when a file is missing, unreadable or no PEM, or the two do not belong
    together.
    """
    certificate_pem = _read(certificate, section, "certificate")
    key_pem = _read(private_key, section, "private_key")
    try:
        chain = x509.load_pem_x509_certificates(certificate_pem)
    except ValueError:
        raise ConfigError(
            f"{certificate} is not a certificate in PEM form: "
            + WAY_OUT.format(section=section, option="certificate"),
            field=f"{section}.certificate",
        ) from None
    try:
        key = serialization.load_pem_private_key(key_pem, password=None)
    except TypeError:
        raise ConfigError(
            f"The private key {private_key} is protected by a passphrase, which a daemon cannot"
            " type: store it without one, readable by sipxd's user only.",
            field=f"{section}.private_key",
        ) from None
    except ValueError:
        raise ConfigError(
            f"{private_key} is not a private key in PEM form: "
            + WAY_OUT.format(section=section, option="private_key"),
            field=f"{section}.private_key",
        ) from None
    if _public_bytes(chain[0].public_key()) != _public_bytes(key.public_key()):
        raise ConfigError(
            f"The private key {private_key} does not belong to the certificate {certificate}:"
            f" name a matching pair in [{section}] certificate and private_key (the server's own"
            " certificate stands first in its file).",
            field=f"{section}.private_key",
        )
    try:
        options = CertificateOptions(
            # pyOpenSSL wants these types of cryptography; Twisted's annotations are older.
            privateKey=key,  # type: ignore[arg-type]
            certificate=chain[0],  # type: ignore[arg-type]
            extraCertChain=chain[1:],  # type: ignore[arg-type]
            insecurelyLowerMinimumTo=TLSVersion.TLSv1_2,  # whatever the default is
        )
        options.getContext()
    except (SSL.Error, TypeError, ValueError):
        raise ConfigError(
            f"OpenSSL does not accept the certificate {certificate} with its key (a key of fewer"
            " than 2048 bits, or of an unusual kind?): "
            + WAY_OUT.format(section=section, option="certificate"),
            field=f"{section}.certificate",
        ) from None
    return options


def make_self_signed(hosts: Iterable[str], *, now: datetime | None = None) -> tuple[bytes, bytes]:
    """A certificate for these host names and IP addresses, and its key, both PEM.

    P-256 keeps a handshake at a fifth of the cost of RSA.  The key must be stored with mode 0600.
    """
    names = list(dict.fromkeys(hosts))
    if not names:
        raise ValueError("a certificate needs at least one host")
    now = now or datetime.now(UTC)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    key_identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # clocks of clients are late at times
        .not_valid_after(now + timedelta(days=SELF_SIGNED_DAYS))
        .add_extension(x509.SubjectAlternativeName([_general_name(n) for n in names]), False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        .add_extension(usage, True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
        .add_extension(key_identifier, False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(key_identifier), False
        )
        .sign(key, hashes.SHA256())
    )
    return (
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )


def _read(path: Path, section: str, option: str) -> bytes:
    what = option.replace("_", " ")
    try:
        return path.read_bytes()
    except FileNotFoundError:
        problem = f"The {what} {path} does not exist"
    except OSError as error:
        problem = f"The {what} {path} cannot be read ({error.strerror})"
    way_out = WAY_OUT.format(section=section, option=option)
    raise ConfigError(f"{problem}: {way_out}.", field=f"{section}.{option}")


def _public_bytes(key: CertificateIssuerPublicKeyTypes | object) -> bytes:
    der: bytes = key.public_bytes(  # type: ignore[union-attr]
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return der


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        return x509.DNSName(host)
