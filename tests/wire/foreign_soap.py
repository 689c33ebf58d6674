"""The SOAP services, asked by clients that others wrote: zeep here, further ones as programs.

The host is called ``localhost``, which stands in the daemon's own certificate, and that one
certificate is trusted: no client has its checks switched off.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import requests
import zeep
from daemon import ADMIN_PASSWORD, Daemon
from zeep.transports import Transport

PROGRAMS = Path(__file__).with_name("soap")
JARS = ("axis", "axis-jaxrpc", "axis-saaj", "wsdl4j", "commons-discovery", "commons-logging")
CLASSES = [f"/usr/share/java/{name}.jar" for name in (*JARS, "javax.mail", "javax.activation")]
QUICK = "-XX:TieredStopAtLevel=1"
"""Java programs that run for a second are compiled quickly, not well."""
STORE_PASSWORD = "changeit"
LEFT_OUT = {
    "findUser": ("search",),
    "findPermission": ("search",),
    "findPhone": ("search",),
    "manageUser": ("search", "edit"),
    "managePermission": ("search", "edit"),
    "managePhone": ("search", "edit"),
}
"""What may be missing in a request, though it must be there by the WSDL."""


def services(daemon: Daemon) -> str:
    """The address that all services have before their names."""
    return f"https://localhost:{daemon.web_port}/sipxconfig/services"


def certificate(daemon: Daemon) -> Path:
    """What its clients trust."""
    return daemon.state_dir / "certificate.pem"


class Port:
    """A service as zeep sees it."""

    def __init__(self, client: zeep.Client, name: str) -> None:
        self._proxy = client.bind("ConfigImplService", name)
        self._unused = set(client.wsdl.services["ConfigImplService"].ports[name].binding.all())

    def __call__(self, operation: str, **members: Any) -> Any:
        """Run an operation; returns what zeep makes of the answer. Raises `zeep.exceptions.Fault`.

        What must stand in the request by the WSDL and is not given, is left out.
        """
        self._unused.discard(operation)
        absent = dict.fromkeys(LEFT_OUT.get(operation, ()), zeep.xsd.SkipValue)
        return self._proxy[operation](**{**absent, **members})

    def all(self, operation: str, **members: Any) -> list[Any]:
        """Run an operation that finds several; where there are none, zeep says None."""
        return self(operation, **members) or []

    def unused(self) -> set[str]:
        """The operations that were not run so far."""
        return self._unused


class Zeep:
    """The services as zeep sees them, from the WSDL that one of them gives."""

    def __init__(self, daemon: Daemon, service: str = "UserService") -> None:
        session = requests.Session()
        session.trust_env = False
        session.auth = ("superadmin", ADMIN_PASSWORD)
        session.verify = str(certificate(daemon))
        self.client = zeep.Client(
            f"{services(daemon)}/{service}?wsdl",
            transport=Transport(session=session),
            settings=zeep.Settings(strict=True),
        )

    def __getitem__(self, service: str) -> Port:
        return Port(self.client, service)


class Program:
    """A client in another language, that prints what it is answered, one line each."""

    def __init__(
        self, language: str, daemon: Daemon, directory: Path, *, version: str = "1.1"
    ) -> None:
        """`version` of SOAP: Node's client knows 1.2 too."""
        self._environment = {
            **os.environ,
            "SOAP_URL": services(daemon),
            "SOAP_USER": "superadmin",
            "SOAP_PASSWORD": ADMIN_PASSWORD,
            "SOAP_VERSION": version,
            "NODE_EXTRA_CA_CERTS": str(certificate(daemon)),
            "PERL_LWP_SSL_CA_FILE": str(certificate(daemon)),
            "NO_PROXY": "localhost",
            "no_proxy": "localhost",
        }
        self._directory = directory
        if language == "java":
            self._command = self._made_of_the_wsdl(daemon)
        elif language == "node":
            node = Path(sys.executable).with_name("node")
            self._command = [str(node), str(PROGRAMS / "client.js")]
        else:
            self._command = [language, str(PROGRAMS / "client.pl")]

    def run(self, *words: str) -> list[str]:
        """The lines that it prints."""
        return self._run(*self._command, *words).splitlines()

    def _made_of_the_wsdl(self, daemon: Daemon) -> list[str]:
        """The Java client: Axis generates stubs, which are compiled with our part. Returns the
        command that runs it."""
        store = self._directory / "trusted"
        self._run(
            "keytool", "-importcert", "-noprompt", "-alias", "sipxd",
            "-file", str(certificate(daemon)),
            "-keystore", str(store), "-storepass", STORE_PASSWORD,
        )  # fmt: skip
        java = [
            "java", QUICK, "-cp", ":".join([*CLASSES, str(self._directory)]),
            f"-Djavax.net.ssl.trustStore={store}",
            f"-Djavax.net.ssl.trustStorePassword={STORE_PASSWORD}",
        ]  # fmt: skip
        self._run(
            *java, "org.apache.axis.wsdl.WSDL2Java", "-p", "stubs", "-o", str(self._directory),
            "-U", "superadmin", "-P", ADMIN_PASSWORD, f"{services(daemon)}/UserService?wsdl",
        )  # fmt: skip
        self._run(
            "javac", f"-J{QUICK}", "-encoding", "UTF-8", "-nowarn", "-proc:none",
            "-cp", ":".join(CLASSES), "-sourcepath", str(self._directory),
            "-d", str(self._directory), str(PROGRAMS / "Client.java"),
        )  # fmt: skip
        return [*java, "Client"]

    def _run(self, *command: str) -> str:
        done = subprocess.run(
            command, cwd=self._directory, env=self._environment, stdin=subprocess.DEVNULL,
            capture_output=True, encoding="utf-8", timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command[0]}: {done.stdout}{done.stderr}"
        return done.stdout
