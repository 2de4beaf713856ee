"""OpenSSH signatures (``ssh-keygen -Y``): with a key that operators already have, and no new trust to set up."""

from __future__ import annotations

import base64
import binascii
import os
import shutil
import tempfile
from pathlib import Path

from goldnode.errors import HostError, ImageError
from goldnode.run import CommandError, run

#: The namespace: signatures made for another purpose never count here.
NAMESPACE = "goldnode-release"
_BEGIN, _END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"
#: Magic and version.  OpenSSH accepts version 0 as 1, and the version is not signed.
_HEADER = b"SSHSIG\0\0\0\1"
#: Characters per line of the armour, as ssh-keygen wraps it.
_WIDTH = 70


def sign(file: Path, key: Path) -> Path:
    """Sign a file; returns the path of the signature beside it.

    Args:
        file: What to sign.
        key: A private key, or the public half of one in ssh-agent.

    Raises:
        HostError: The key cannot be used.
    """
    target = file.with_name(f"{file.name}.sig")
    target.unlink(missing_ok=True)
    try:
        run(["ssh-keygen", "-Y", "sign", "-q", "-f", key, "-n", NAMESPACE, file], env=_agent())
    except CommandError as refused:
        raise HostError(
            f"the release could not be signed with {key}: {refused.stderr.strip()}",
            hint="ssh-keygen -t ed25519 -f release_key",
        ) from refused
    return target


def _agent() -> dict[str, str]:
    """How to reach the operator's ssh-agent, if there is one."""
    return {name: os.environ[name] for name in ("SSH_AUTH_SOCK",) if name in os.environ}


def check(file: Path, signature: Path, signers: Path | None) -> str:
    """Check a file's signature.

    Args:
        file: What was signed.
        signature: Its signature.
        signers: Whom to trust, in OpenSSH's ``allowed_signers`` format; None accepts any key.

    Returns:
        Who signed: the name from ``signers``, or the key's fingerprint without ``signers``.

    Raises:
        ImageError: The signature is not valid for the file, or nobody trusted made it.
    """
    _check_armour(signature)
    text = file.read_text(errors="surrogateescape")
    with tempfile.TemporaryDirectory(prefix="goldnode-verify.") as scratch:
        # ssh-keygen quotes the names it is given; a copy keeps odd ones out of its argument list.
        copy = Path(scratch) / "signature"
        shutil.copyfile(signature, copy)
        common = ["-n", NAMESPACE, "-s", str(copy)]
        try:
            if signers is None:
                said = run(["ssh-keygen", "-Y", "check-novalidate", *common], stdin=text).stdout
                return said.strip().rpartition(" ")[2]
            found = run(["ssh-keygen", "-Y", "find-principals", "-f", signers, "-s", copy]).stdout.split()
            name = found[0]
            run(["ssh-keygen", "-Y", "verify", "-f", signers, "-I", name, *common], stdin=text)
        except CommandError as refused:
            why = (refused.stderr.strip() or refused.stdout.strip()).splitlines()
            raise ImageError(
                f"{signature.name} is not a valid signature of {file.name}: {why[-1] if why else ''}"
            ) from refused
    return name


def _check_armour(signature: Path) -> None:
    """Refuse armour that decodes but differs from what ssh-keygen writes: a signature has one form."""
    try:
        lines = signature.read_text("ascii").split("\n")
        blob = base64.b64decode("".join(lines[1:-2]), validate=True)
    except OSError as missing:
        raise ImageError(f"{signature.name} is missing") from missing
    except (UnicodeDecodeError, binascii.Error) as broken:
        raise ImageError(f"{signature.name} is damaged: it is not an SSH signature") from broken
    packed = base64.b64encode(blob).decode()
    body = [packed[at : at + _WIDTH] for at in range(0, len(packed), _WIDTH)]
    if lines != [_BEGIN, *body, _END, ""] or not blob.startswith(_HEADER):
        raise ImageError(f"{signature.name} is damaged: it is not an SSH signature")
