"""A machine's journal on its way to a receiver: a real journald, rsyslog by the node's own file, and a TLS receiver."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from goldnode.config.node_config import LogReceiver
from goldnode.node.plan import log_shipping
from goldnode.run import spawn
from tests.support.lease_stores import port
from tests.support.waiting import until

pytestmark = pytest.mark.root
#: A machine's journal in a mount namespace of its own; what is written to its standard input is logged.
_MACHINE = """
mount -t tmpfs none /run && mkdir -p /run/systemd/journal && mount -t tmpfs none /var/log
/lib/systemd/systemd-journald &
until [ -S /run/systemd/journal/stdout ]; do sleep 0.1; done
"$@" &
exec systemd-cat --identifier=wasmd
"""


@dataclass(frozen=True)
class Authority:
    """Whoever signs a receiver's certificate."""

    folder: Path
    key: ec.EllipticCurvePrivateKey

    @property
    def file(self) -> Path:
        """Its own certificate."""
        path = self.folder / "ca.pem"
        if not path.exists():
            path.write_bytes(self.certificate("ca", self.key.public_key(), ca=True))
        return path

    def certificate(self, name: str, key: ec.EllipticCurvePublicKey, *, ca: bool = False) -> bytes:
        """A certificate for a name, PEM."""
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ca")]))
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(hours=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .sign(self.key, hashes.SHA256())
            .public_bytes(serialization.Encoding.PEM)
        )

    @contextlib.contextmanager
    def receiver(self, number: int, name: str = "localhost") -> Iterator[Path]:
        """A receiver on a port, with a certificate for a name; the file with what it got."""
        key = ec.generate_private_key(ec.SECP256R1())
        (self.folder / "key.pem").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        (self.folder / "cert.pem").write_bytes(self.certificate(name, key.public_key()))
        got = self.folder / "got"
        settings = self.folder / "receiver.conf"
        settings.write_text(
            f'global(defaultNetstreamDriver="gtls" defaultNetstreamDriverCAFile="{self.file}"'
            f' defaultNetstreamDriverCertFile="{self.folder}/cert.pem"'
            f' defaultNetstreamDriverKeyFile="{self.folder}/key.pem")\n'
            'module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="anon")\n'
            f'input(type="imtcp" address="127.0.0.1" port="{number}")\n'
            f'action(type="omfile" file="{got}" template="RSYSLOG_SyslogProtocol23Format")\n'
        )
        with spawn(["rsyslogd", "-n", "-i", "NONE", "-f", settings]):
            yield got


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Whom the machine trusts."""
    folder = tmp_path / "receiver"
    folder.mkdir()
    return Authority(folder, ec.generate_private_key(ec.SECP256R1()))


@contextlib.contextmanager
def machine(folder: Path, number: int, ca: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A machine that sends its journal there; its standard input is a daemon's log."""
    state, settings = folder / "state", folder / "rsyslog.conf"
    state.mkdir()
    settings.write_text(log_shipping.settings(LogReceiver("localhost", number), str(ca), str(state)))
    own = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", _MACHINE, "sh"]
    words = [*own, log_shipping.PROGRAM, "-n", "-i", "NONE", "-f", str(settings)]
    with spawn(words, stdin=subprocess.PIPE) as process:
        yield process
        assert process.stdin
        process.stdin.close()


def says(process: subprocess.Popen[bytes], line: str) -> None:
    """The daemon logs a line."""
    assert process.stdin
    process.stdin.write(f"{line}\n".encode())
    process.stdin.flush()


def test_what_a_daemon_logs_reaches_the_receiver(authority: Authority, tmp_path: Path) -> None:
    """Each line with the daemon's name, over TLS; what was logged while nobody listened comes later."""
    number = port()
    with machine(tmp_path, number, authority.file) as process:
        says(process, "committed state height=1")
        with authority.receiver(number) as got:
            assert until(lambda: got.exists() and "committed state height=1" in got.read_text(), 60)
            says(process, "committed state height=2")
            assert until(lambda: "committed state height=2" in got.read_text(), 20)
        (line,) = [line for line in got.read_text().splitlines() if "height=2" in line]

    assert " wasmd " in line


def test_nobody_else_is_told(authority: Authority, tmp_path: Path) -> None:
    """A receiver whose certificate is for another name gets nothing; the right one gets all of it."""
    number = port()
    with machine(tmp_path, number, authority.file) as process:
        with authority.receiver(number, "evil.example.org") as got:
            says(process, "a secret of the house")
            assert not until(lambda: got.exists() and got.read_text(), 8)
        with authority.receiver(number) as got:
            assert until(lambda: got.exists() and "a secret of the house" in got.read_text(), 60)
