"""The preflight of a daemon: whoever starts it, it goes through here (``goldnode run NAME``).

Runs as the node's own user inside its sandbox, checks once more what could make the daemon lose data
or double-sign, records which private peers the daemon is about to read, and becomes the daemon.
"""

from __future__ import annotations

import json
import os
import shutil
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from goldnode.config.choices import ConsensusKey
from goldnode.discovery.plain_file import read_plain
from goldnode.errors import HostError, InputError, SafetyError
from goldnode.files import write_json
from goldnode.forms import NODE_ID
from goldnode.node import continuation, node_files
from goldnode.node.keys import keys
from goldnode.node.keys.claims import Judgement
from goldnode.node.keys.key_rules import Verdict, decide
from goldnode.node.layout import NodeLayout
from goldnode.node.plan.upgrade import Ladder
from goldnode.node.versions import upgrades

#: Bytes that must be free: a daemon that runs out of disk corrupts its database.
FREE_BYTES = 512 << 20


@dataclass(frozen=True, slots=True)
class Launch:
    """What to start, as the plan wrote it.

    Attributes:
        argv: The daemon's command line.
        signs: Whether it signs with a key on this machine.
        consensus_key: Where the key comes from, according to node.yaml.
        seen_height: The last height that the cluster saw the key sign.
        node_id: The ID it must have.
        leased: Whether its signer has the key, which this process cannot read.
        ladder: The versions it may run; None if there is only one.
    """

    argv: tuple[str, ...]
    signs: bool
    consensus_key: ConsensusKey
    seen_height: int
    node_id: str
    leased: bool = False
    ladder: Ladder | None = None


def read(node: NodeLayout) -> Launch:
    """Read the launch file.

    Raises:
        HostError: This boot has not been configured.
        SafetyError: The file is damaged.
    """
    document = node_files.read_object(node.launch, hint="goldnode configure")
    if document is None:
        raise HostError(f"{node.name} is not a node of this machine", hint="goldnode status")
    try:
        return Launch(
            tuple(document["argv"]),
            document["signs"],
            ConsensusKey(document["consensus_key"]),
            document["seen_height"],
            document["node_id"],
            document["leased"],
            Ladder.from_document(document["ladder"]) if document.get("ladder") else None,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise node_files.unusable(node.launch, f"a field is missing or wrong: {error}", "goldnode configure") from error


def check(
    node: NodeLayout, launch: Launch, free: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free
) -> None:
    """Check everything that must be true before the daemon may run.

    Raises:
        SafetyError: Key, signing state or identity do not agree, or were never cleared for use.
        HostError: The program or disk space is missing.
        InputError: The configuration cannot be read.
    """
    if os.path.lexists(node.failure):
        raise _refused(node)
    if not os.access(launch.argv[0], os.X_OK):
        raise HostError(f"{launch.argv[0]} does not exist yet", hint="systemctl status goldnode-fetch")
    if free(node.home) < FREE_BYTES:
        raise HostError(f"less than {FREE_BYTES >> 20} MiB are free for {node.home}", hint=f"df -h {node.home}")
    if not (node.home / "config" / "config.toml").exists():
        # The daemon would make one, with peer exchange on.
        raise HostError(f"{node.name} has no configuration yet", hint="systemctl status goldnode-fetch")
    if not node.node_key.exists():
        raise SafetyError(f"the node key of {node.name} is gone", hint="goldnode status")
    if launch.signs and not launch.leased:
        check_key(node, launch)


def check_signer(node: NodeLayout) -> None:
    """The same check for the key of a node with a lease, before its signer starts.

    Raises:
        SafetyError: Key and signing state do not agree, or were never cleared for use.
        HostError: There is no key yet.
    """
    if os.path.lexists(node.failure):
        raise _refused(node)
    if not os.path.lexists(node.consensus_key):
        raise HostError(f"{node.name} has no consensus key yet", hint="goldnode key import FILE")
    record = keys.read_record(node)
    if record and not record.used:
        raise HostError(f"{node.name}'s key was not cleared for use yet", hint="goldnode status")
    check_key(node, read(node))


def check_key(node: NodeLayout, launch: Launch) -> None:
    """Check that key, signing state and record agree, and were cleared for use.

    Raises:
        SafetyError: They do not.
    """
    evidence = keys.gather(node, launch.consensus_key, lambda *_: Judgement(launch.seen_height))
    if decide(evidence) is not Verdict.READY:
        raise SafetyError(f"{node.name} has no consensus key that is ready", hint="goldnode key show")
    if evidence.record and not evidence.record.used:
        raise SafetyError(f"{node.name}'s key was not cleared for use", hint=f"goldnode start {node.name}")


def private_peers(node: NodeLayout) -> frozenset[str]:
    """The peers that the daemon will treat as private and as unconditional, from the file it reads.

    Raises:
        InputError: The file is not TOML.
    """
    path = node.home / "config" / "config.toml"
    text = node_files.read_text(path, hint="goldnode configure") or ""
    try:
        p2p = tomllib.loads(text).get("p2p", {})
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path} is not valid TOML: {error}", hint="goldnode configure") from error
    both = [set(str(p2p.get(key, "")).split(",")) for key in ("private_peer_ids", "unconditional_peer_ids")]
    return frozenset(peer for peer in both[0] & both[1] if NODE_ID.fullmatch(peer))


def become(
    node: NodeLayout,
    execute: Callable[[str, list[str]], object] = os.execv,
    # As machine.seconds_since_power_on, whose module runs programs: more than a daemon's start should load.
    since_power_on: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
) -> None:
    """Pass the preflight and become the daemon.

    Raises:
        GoldnodeError: See ``check``.
    """
    launch = read(node)
    with node_files.contained(node):
        check(node, launch)
        program, words = upgrades.switch(node, launch.ladder) if launch.ladder else (Path(launch.argv[0]), [])
        if launch.signs and not launch.leased:
            words = [*words, *continuation.words(node, passed=passed(node), now=since_power_on())]
        if beside := upgrades.libraries(program):
            # Two versions may need different versions of one library, under the same name.
            os.environ["LD_LIBRARY_PATH"] = str(beside)
        write_json(node.loaded, sorted(private_peers(node)))
    if launch.leased:
        # The previous daemon's socket is in the way; the signer's user, who is in this group, must reach the new one.
        node.daemon_socket.unlink(missing_ok=True)
        os.umask(0o007)
    execute(str(program), [str(program), *launch.argv[1:], *words])


def passed(node: NodeLayout) -> int:
    """When a daemon last passed the preflight, by its file's time in nanoseconds; 0 if none ever did."""
    try:
        return node.loaded.lstat().st_mtime_ns
    except OSError:
        return 0


def loaded(node: NodeLayout) -> frozenset[str]:
    """The private peers that the daemon read when it last started; none if it never did."""
    try:
        # The daemon owns the folder: a FIFO there must not block us, and a link must not be followed.
        return frozenset(peer for peer in json.loads(read_plain(node.loaded)) if NODE_ID.fullmatch(peer))
    except (OSError, HostError, ValueError, TypeError, RecursionError):
        return frozenset()


def _refused(node: NodeLayout) -> SafetyError:
    said = node_files.read_text(node.failure, hint="goldnode configure") or ""
    return SafetyError(f"{node.name} was refused: {said.strip()}", hint="goldnode status")
