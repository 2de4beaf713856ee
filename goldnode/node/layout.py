"""Where everything is on a node: one place, below a root that a test can move.

Paths are given as the machine sees them, below ``root``; the daemon's own view is the same on a
real machine, where the root is ``/``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class NodeLayout:
    """What belongs to one node.  ``base`` is root's, except ``home``, which is the node's user's.

    Attributes:
        name: The node's name.
        base: `/var/lib/goldnode/nodes/NAME`; on the data volume if there is one.
        runtime: `/run/goldnode`.
    """

    name: str
    base: Path
    runtime: Path

    @property
    def user(self) -> str:
        """The Linux user that runs the daemon, and its group."""
        return f"gn-{self.name}"

    @property
    def unit(self) -> str:
        """The systemd unit of the daemon."""
        return f"goldnode-node@{self.name}.service"

    @property
    def home(self) -> Path:
        """The daemon's home."""
        return self.base / "home"

    @property
    def genesis(self) -> Path:
        """Where every daemon looks for its genesis, whatever its configuration says (Cosmos SDK 0.47 to 0.53)."""
        return self.home / "config" / "genesis.json"

    @property
    def node_key(self) -> Path:
        """CometBFT's node key."""
        return self.home / "config" / "node_key.json"

    @property
    def signer(self) -> Path:
        """Folder of the node's signer; it exists only if the node has a signing lease, and then holds the key."""
        return self.base / "signer"

    @property
    def signer_user(self) -> str:
        """The Linux user that runs the signer; only this user and root can read the key."""
        return f"gs-{self.name}"

    @property
    def signer_unit(self) -> str:
        """The systemd unit of the signer."""
        return f"goldnode-signer@{self.name}.service"

    @property
    def lease_unit(self) -> str:
        """The systemd unit of the lease keeper."""
        return f"goldnode-lease@{self.name}.service"

    @property
    def daemon_socket(self) -> Path:
        """Where the daemon listens for its signer."""
        return self.runtime / "signers" / self.name / "daemon.sock"

    @property
    def control_socket(self) -> Path:
        """Where the signer listens for its lease keeper."""
        return self.runtime / "leases" / self.name / "control.sock"

    @property
    def lease_settings(self) -> Path:
        """The lease keeper's settings."""
        return self.runtime / "nodes" / f"{self.name}.lease"

    @property
    def lease_status(self) -> Path:
        """The lease keeper's last report."""
        return self.runtime / "nodes" / f"{self.name}.leased"

    @property
    def store(self) -> Path:
        """Folder of the etcd that keeps the cluster's signing leases, on the sentries that do."""
        return self.base / "store"

    @property
    def store_user(self) -> str:
        """The Linux user that runs it."""
        return f"gl-{self.name}"

    @property
    def store_unit(self) -> str:
        """The systemd unit of it."""
        return f"goldnode-store@{self.name}.service"

    @property
    def store_config(self) -> Path:
        """What it reads."""
        return self.runtime / "nodes" / f"{self.name}.etcd.yaml"

    @property
    def store_record(self) -> Path:
        """With which sentries it keeps leases, for this node's whole life."""
        return self.base / "store.json"

    @property
    def lease_record(self) -> Path:
        """This node's own name in the store, and whether its key is new there."""
        return self.base / "lease.json"

    @property
    def takeover(self) -> Path:
        """Present while a person wants this node to take the lease of another machine."""
        return self.base / "takeover"

    @property
    def consensus_key(self) -> Path:
        """CometBFT's validator key: the signer's, where there is one."""
        return (self.signer if self.signer.is_dir() else self.home / "config") / "priv_validator_key.json"

    @property
    def signing_state(self) -> Path:
        """What the validator signed last; beside the key, where the signer has it."""
        return (self.signer if self.signer.is_dir() else self.home / "data") / "priv_validator_state.json"

    @property
    def identity(self) -> Path:
        """Which machine this node's keys are bound to."""
        return self.base / "identity.json"

    @property
    def key_record(self) -> Path:
        """Which consensus key this node has, and how far it is known to have signed."""
        return self.base / "consensus.json"

    def mesh_key(self, kind: str) -> Path:
        """The private key of a kind of mesh."""
        return self.base / f"mesh-{kind}.key"

    def mesh_config(self, kind: str) -> Path:
        """What ``wg syncconf`` or ``vpncloud`` reads; secret."""
        return self.runtime / "mesh" / (f"{self.name}.conf" if kind == "wireguard" else f"{self.name}.yaml")

    @property
    def member(self) -> Path:
        """The rendezvous client's state: cluster key, roster, high-water marks."""
        return self.base / "member"

    @property
    def catch_up(self) -> Path:
        """The progress of a node without state on its way to the tip."""
        return self.base / "catch-up.json"

    @property
    def started(self) -> Path:
        """The newest version of the daemon that has started on this state; written by ``goldnode run``."""
        return self.home / "data" / "started.json"

    @property
    def height(self) -> Path:
        """The latest height that the agent saw, which tells the version that the state belongs to."""
        return self.base / "height"

    @property
    def rollback(self) -> Path:
        """Present while the node runs the version from before an upgrade, because a person asked for it."""
        return self.base / "rollback.json"

    @property
    def hold(self) -> Path:
        """Present while the node is to stay stopped, across reboots too."""
        return self.base / "hold"

    @property
    def paused(self) -> Path:
        """Present while the node is to stay stopped until ``goldnode start`` or a reboot."""
        return self.runtime / "nodes" / f"{self.name}.paused"

    @property
    def orders(self) -> Path:
        """The orders accepted, and the one under way."""
        return self.base / "orders.json"

    @property
    def handover(self) -> Path:
        """Present while the node is on its way from one machine to another."""
        return self.base / "handover.json"

    @property
    def recovery(self) -> Path:
        """Present while a lost signing state is being recovered, and the key signs nothing."""
        return self.base / "recovery.json"

    @property
    def loaded(self) -> Path:
        """The private peers that the running daemon read at its start; written by ``goldnode run``."""
        return self.home / "data" / "loaded.json"

    @property
    def launch(self) -> Path:
        """What ``goldnode run NAME`` starts, and its preconditions."""
        return self.runtime / "nodes" / f"{self.name}.json"

    @property
    def continuation(self) -> Path:
        """Present once the agent restarts a daemon that just signed: its next start need not look back."""
        return self.runtime / "nodes" / f"{self.name}.continuation"

    @property
    def failure(self) -> Path:
        """Why the node may not run; absent if it may."""
        return self.runtime / "nodes" / f"{self.name}.failure"


@dataclass(frozen=True, slots=True)
class Layout:
    """The machine's paths below ``root``."""

    root: Path = Path("/")

    def at(self, path: str) -> Path:
        """One of the machine's paths, as this process reaches it."""
        return self.root / path.lstrip("/")

    @property
    def node_yaml(self) -> Path:
        """The node.yaml that the person wrote."""
        return self.at("/etc/goldnode/node.yaml")

    @property
    def applied(self) -> Path:
        """The node.yaml last applied, with secrets removed."""
        return self.at("/var/lib/goldnode/applied.yaml")

    @property
    def configured(self) -> Path:
        """What goldnode-configure leaves when it is done: its plan's digest; empty once the agent has taken over."""
        return self.at("/run/goldnode/configured")

    @property
    def blocks(self) -> Path:
        """Each node's block of ports."""
        return self.at("/var/lib/goldnode/blocks.json")

    @property
    def library(self) -> Path:
        """The bake's files: daemon, defaults, roles, documents."""
        return self.at("/usr/lib/goldnode")

    @property
    def state(self) -> Path:
        """What must outlive a reboot."""
        return self.at("/var/lib/goldnode")

    @property
    def nodes(self) -> Path:
        """The nodes' own folders; the data volume is mounted here."""
        return self.state / "nodes"

    @property
    def runtime(self) -> Path:
        """What does not outlive a reboot."""
        return self.at("/run/goldnode")

    @property
    def status(self) -> Path:
        """The agent's last report, for ``goldnode status``."""
        return self.runtime / "status.json"

    def node(self, name: str) -> NodeLayout:
        """The paths of one node."""
        return NodeLayout(name, self.nodes / name, self.runtime)
