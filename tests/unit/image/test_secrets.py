"""Telling secrets from mentions of secrets."""

import base64

import pytest

from goldnode.image.secrets import Secret, find, preview
from tests.image import violations

KEY64 = base64.b64encode(bytes(range(64)))
#: What documents and programs say about secrets without holding one.
MENTIONS = [
    b"-----BEGIN OPENSSH PRIVATE KEY-----\0-----END OPENSSH PRIVATE KEY-----\0",
    b"if line == '-----BEGIN RSA PRIVATE KEY-----':\n    return True\n",
    b'{"type":"tendermint/PrivKeyEd25519","value":""}',
    b"tendermint/PrivKeyEd25519\0tendermint/PubKeyEd25519",
    b"join: gn1_... # the invite",
    b"AKIA\0\0\0 WAKIANDA",
    b"aGVsbG8gAKIAQ3Q3Q3Q3Q3Q3Q3Q3aGVsbG8g",
    b"root:$y$ and so on",
    b"PrivateKey = <your key>",
    b"[Interface]\nPrivateKey = \n",
]
SECRETS = [
    (Secret.PRIVATE_KEY, violations.openssh_key()),
    (Secret.PRIVATE_KEY, violations.openssh_key().replace(b"\n", b"\\n")),
    (
        Secret.PRIVATE_KEY,
        b"  key: |\n" + b"".join(b"    " + line for line in violations.openssh_key().splitlines(True)),
    ),
    (Secret.PRIVATE_KEY, violations.openssh_key().replace(b"\n", b"\r\n")),
    (
        Secret.PRIVATE_KEY,
        b"-----BEGIN TENDERMINT PRIVATE KEY-----\nkdf: bcrypt\nsalt: A1B2\ntype: ed25519\n\n" + KEY64 + b"\n",
    ),
    (Secret.VALIDATOR_KEY, violations.validator_key()),
    (Secret.VALIDATOR_KEY, b'{"value":"' + KEY64 + b'","type":"tendermint/PrivKeyEd25519"}'),
    (Secret.INVITE, b"gn1_" + b"abcdefg234567" * 8),
    (Secret.CLOUD_TOKEN, b"aws_secret_access_key = " + KEY64[:40]),
    (Secret.CLOUD_TOKEN, b"ghp_" + b"a1B2" * 9),
    (Secret.CLOUD_TOKEN, b"github_pat_" + b"a1B2_" * 16),
    (Secret.CLOUD_TOKEN, b"glpat-" + b"a1B2-" * 4),
    (Secret.CLOUD_TOKEN, b"dop_v1_" + b"0f" * 32),
    (Secret.PASSWORD_HASH, b"root:$6$salt$" + b"x" * 86 + b":19000:0:99999:7:::"),
    (Secret.WIREGUARD_KEY, b"PrivateKey=" + KEY64[:43] + b"="),
]


@pytest.mark.parametrize(("kind", "secret"), SECRETS)
def test_a_secret_is_found_between_other_bytes(kind: Secret, secret: bytes) -> None:
    """Each kind is reported once, as what it is."""
    chunk = b"\x7fELF" + bytes(500) + b"\n" + secret + b"\n" + bytes(500)

    assert [kind] == [found for found, _, _ in find(chunk)]


@pytest.mark.parametrize("mention", MENTIONS)
def test_a_mention_is_no_secret(mention: bytes) -> None:
    """Programs and documents that speak of keys are not reported."""
    assert [] == list(find(bytes(100) + mention + bytes(100)))


def test_a_preview_does_not_give_the_secret_away() -> None:
    """What a report prints can be pasted into an issue."""
    assert "gn1_abcdefgh…" == preview(b"gn1_abcdefghijklmnop")
