"""The certificate: made, loaded, and explained when it is wrong."""

from __future__ import annotations

import ssl
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_twisted
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from twisted.internet.threads import deferToThread

from sipxd.errors import ConfigError
from sipxd.web.tls import load_context, make_self_signed


def test_the_certificate_names_hosts_and_addresses_and_verifies_itself() -> None:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    pem, key = make_self_signed(["pbx.example.org", "192.0.2.1", "::1"], now=now)
    certificate = x509.load_pem_x509_certificate(pem)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["pbx.example.org"]
    assert [str(a) for a in names.get_values_for_type(x509.IPAddress)] == ["192.0.2.1", "::1"]
    certificate.verify_directly_issued_by(certificate)
    assert certificate.not_valid_before_utc < now < certificate.not_valid_after_utc
    assert b"BEGIN PRIVATE KEY" in key


def test_a_certificate_for_nobody_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="at least one host"):
        make_self_signed([])


@pytest.fixture
def pair(tmp_path: Path, certificate: tuple[Path, Path]) -> tuple[Path, Path]:
    copies = tmp_path / "c.pem", tmp_path / "k.pem"
    for original, copy in zip(certificate, copies, strict=True):
        copy.write_bytes(original.read_bytes())
    return copies


def test_a_chain_is_loaded(pair: tuple[Path, Path]) -> None:
    pair[0].write_bytes(pair[0].read_bytes() + make_self_signed(["ca.example"])[0])
    assert load_context(*pair).getContext()


def refused(pair: tuple[Path, Path]) -> str:
    with pytest.raises(ConfigError) as caught:
        load_context(*pair)
    assert caught.value.field in ("web.certificate", "web.private_key")
    assert "\n" not in caught.value.detail
    return caught.value.detail


def test_a_missing_file_is_named_with_the_way_out(pair: tuple[Path, Path]) -> None:
    pair[1].unlink()
    assert f"The private key {pair[1]} does not exist: run `sipxd init`" in refused(pair)
    pair[0].unlink()
    assert f"The certificate {pair[0]} does not exist: run `sipxd init`" in refused(pair)


def test_a_file_that_cannot_be_read_is_named(pair: tuple[Path, Path]) -> None:
    pair[0].unlink()
    pair[0].mkdir()
    assert f"The certificate {pair[0]} cannot be read (Is a directory)" in refused(pair)


@pytest.mark.parametrize("content", [b"", b"nonsense", b"-----BEGIN CERTIFICATE-----\n????"])
def test_a_file_that_is_no_pem_is_named(pair: tuple[Path, Path], content: bytes) -> None:
    pair[1].write_bytes(content)
    assert "is not a private key in PEM form" in refused(pair)
    pair[0].write_bytes(content)
    assert "is not a certificate in PEM form" in refused(pair)


def test_a_key_of_another_certificate_is_told(pair: tuple[Path, Path]) -> None:
    pair[1].write_bytes(make_self_signed(["localhost"])[1])
    assert "does not belong to the certificate" in refused(pair)


def test_a_key_with_a_passphrase_is_told(pair: tuple[Path, Path]) -> None:
    key = serialization.load_pem_private_key(pair[1].read_bytes(), None)
    pair[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    assert "protected by a passphrase" in refused(pair)


def test_an_rsa_pair_works_and_a_tiny_one_is_told(pair: tuple[Path, Path]) -> None:
    def make(bits: str) -> None:
        command = ["openssl", "req", "-x509", "-newkey", f"rsa:{bits}", "-nodes", "-subj", "/CN=x"]
        command += ["-keyout", str(pair[1]), "-out", str(pair[0])]
        subprocess.run(command, check=True, capture_output=True)

    make("2048")
    assert isinstance(
        serialization.load_pem_private_key(pair[1].read_bytes(), None), rsa.RSAPrivateKey
    )
    load_context(*pair)
    make("1024")
    assert "OpenSSL does not accept" in refused(pair)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest_twisted.ensureDeferred
async def test_tls_1_2_is_spoken_and_nothing_older(door) -> None:
    def version(highest: ssl.TLSVersion) -> str | None:
        door.tls.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        door.tls.maximum_version = highest
        door.tls.set_ciphers("DEFAULT:@SECLEVEL=0")
        with door.connect() as connection:
            return connection.version()

    assert await deferToThread(version, ssl.TLSVersion.TLSv1_3) == "TLSv1.3"
    assert await deferToThread(version, ssl.TLSVersion.TLSv1_2) == "TLSv1.2"
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await deferToThread(version, ssl.TLSVersion.TLSv1_1)
