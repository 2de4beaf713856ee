"""No secret lies anywhere in the raw bytes of the disk: not in a file, not in free space.

Deleting a file leaves its blocks, and the journal keeps copies.  So these rules look at the disk
and not at the tree; ``goldnode.image.secrets`` finds secrets, this module reports them.
"""

from __future__ import annotations

from collections.abc import Iterator

from goldnode.image.rule import RULES, Finding, Image, Rule
from goldnode.image.secrets import Secret

_RULES = {
    Secret.PRIVATE_KEY: ("No private key in PEM or OpenSSH form is on the disk.", "it opens whatever it was made for"),
    Secret.VALIDATOR_KEY: (
        "No CometBFT node key or consensus key is on the disk.",
        "two machines with one consensus key sign twice, and the stake is slashed",
    ),
    Secret.MNEMONIC: ("No BIP39 mnemonic is on the disk.", "it is the whole wallet"),
    Secret.INVITE: ("No invite into a cluster is on the disk.", "whoever has the image could join the cluster"),
    Secret.CLOUD_TOKEN: ("No access key or token of a cloud or a forge is on the disk.", "it spends the owner's money"),
    Secret.PASSWORD_HASH: ("No line of a shadow file with a password is on the disk.", "a hash can be cracked"),
    Secret.WIREGUARD_KEY: ("No WireGuard private key is on the disk.", "it opens the mesh"),
    Secret.BUILDER_KEY: ("The builder's SSH key left no trace.", "it was able to enter, and shows who built what"),
}
FIX = "find what wrote it, and keep it in memory (/run) during the bake; fstrim with discard=unmap frees old blocks"


def _register(kind: Secret, promise: str, why: str) -> None:
    def check(image: Image) -> Iterator[Finding]:
        for hit in image.hits:
            if hit.kind is kind:
                place = hit.path or "no file: free space, slack or journal"
                yield Finding(f"byte {hit.offset}", f"holds {hit.preview} ({place})")

    source = "docs/image-hygiene.md: the raw bytes of the disk"
    RULES.append(Rule(f"raw-{kind.value}", promise, why, source, FIX, check))


for _kind, (_promise, _why) in _RULES.items():
    _register(_kind, _promise, _why)
