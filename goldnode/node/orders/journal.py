"""What a node remembers about orders on its disk, so that none is carried out twice, even after a reboot.

The number of an order is on disk before anything is done about it.  A process that is killed between the two has
carried out nothing, and says so when it is back.  If the journal is lost or damaged, or the disk now belongs to
another machine, a new life begins, and no earlier order is valid for it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from goldnode.errors import HostError, SafetyError
from goldnode.files import write_json
from goldnode.node import node_files
from goldnode.protocol import limits
from goldnode.protocol.order import Order, OrderCode, forbid

_MODE = 0o600
_LIFE_BYTES = 16


@dataclass(frozen=True, slots=True)
class Signer:
    """What one signer has ordered so far.

    Attributes:
        number: The number of its last order.
        digest: The digest of its last order's bytes.
        until: Unix seconds until which it may give orders; 0 for the root.
    """

    number: int
    digest: str
    until: int


@dataclass(frozen=True, slots=True)
class Task:
    """An order that was accepted and is not finished.

    Attributes:
        digest: The order's digest.
        verb: Its verb.
        reply: Public key for the answer, hex.
        deadline: Unix seconds by which the node must be healthy; 0 if nothing has begun yet.
        passed: When a daemon had last passed its preflight before; a later one was started by this order.
        was_well: Whether the node was healthy before.
        wanted: The node.yaml that the order put in force; empty for none.
        undo: The previous node.yaml, to go back to; empty for none.
    """

    digest: str
    verb: str
    reply: str
    deadline: float = 0.0
    passed: int = -1
    was_well: bool = True
    wanted: str = ""
    undo: str = ""


@dataclass(slots=True)
class Journal:
    """One node's journal; each change is on disk before the method returns.

    Attributes:
        path: Its file.
        instance: The machine it belongs to.
        life: Which life of the node orders must name.
        signers: The last order of each signer, by public key in hex.
        answers: The number of the last answer.
        task: The task under way; None if there is none.
    """

    path: Path
    instance: str
    life: str
    signers: dict[str, Signer] = field(default_factory=dict)
    answers: int = 0
    task: Task | None = None

    @classmethod
    def open(cls, path: Path, instance: str, random: Callable[[int], bytes] = os.urandom) -> Journal:
        """Read a node's journal, or begin a new one if there is none that can be used.

        Args:
            path: Its file.
            instance: Hex digest of the machine; if it differs from the journal's, a new life begins.
            random: Gives that many random bytes.
        """
        try:
            document = node_files.read_object(path, ours=True)
            found = _read(path, document) if document else None
        except (SafetyError, HostError, KeyError, TypeError, ValueError):
            node_files.set_aside(path)
            found = None
        if found and found.instance == instance:
            return found
        fresh = cls(path, instance, random(_LIFE_BYTES).hex())
        fresh.save()
        return fresh

    def is_repeated(self, order: Order, digest: str) -> bool:
        """Whether this is the signer's last order again, byte for byte."""
        known = self.signers.get(order.signer.hex())
        return known is not None and (known.number, known.digest) == (order.number, digest)

    def take(self, order: Order, digest: str, now: float) -> None:
        """Record an order's number for good; only then may it be carried out.

        Args:
            order: The order, with its signature and rights checked.
            digest: Its digest.
            now: Unix seconds.

        Raises:
            ExchangeError: `replayed`; or more operator keys have given orders than a node remembers.
        """
        who = order.signer.hex()
        known = self.signers.get(who)
        if known and order.number <= known.number:
            raise forbid(f"an order with number {known.number} was taken already", OrderCode.REPLAYED,
                         "give it again: it gets a higher number")  # fmt: skip
        # An expired key can order nothing, so it need not be remembered.
        signers = {key: each for key, each in self.signers.items() if not each.until or each.until >= now}
        if who not in signers and len(signers) >= limits.OPERATORS:
            raise forbid(f"{len(signers)} operator keys are in use, and no more are remembered", OrderCode.BUSY)
        self.signers = {**signers, who: Signer(order.number, digest, order.key_until)}
        # A query during a task does not replace it.
        self.task = self.task or Task(digest, order.verb, order.reply.hex())
        self.save()

    def begin(self, **what: Any) -> None:
        """Record what is about to be done, and how to go back."""
        if self.task:
            self.task = replace(self.task, **what)
            self.save()

    def finish(self) -> None:
        """Record that no task is under way."""
        self.task = None
        self.save()

    def next_answer(self, now: float) -> int:
        """The number of the next answer; on disk before it is used."""
        self.answers = max(self.answers + 1, int(now * 1000))
        self.save()
        return self.answers

    def save(self) -> None:
        """Write everything, whole."""
        write_json(
            self.path,
            {
                "version": 1,
                "instance": self.instance,
                "life": self.life,
                "signers": {key: asdict(signer) for key, signer in self.signers.items()},
                "answers": self.answers,
                "task": asdict(self.task) if self.task else None,
            },
            _MODE,
        )


def _read(path: Path, document: Mapping[str, Any]) -> Journal:
    if document["version"] != 1:
        raise ValueError("it has an unknown version")
    signers = {str(key): Signer(**each) for key, each in document["signers"].items()}
    task = Task(**document["task"]) if document["task"] else None
    numbers = [int(each.number) for each in signers.values()]
    if any(number < 1 for number in numbers):
        raise ValueError("it holds a number below 1")
    life = str(document["life"])
    if len(bytes.fromhex(life)) != _LIFE_BYTES:
        raise ValueError("its life is invalid")
    return Journal(path, str(document["instance"]), life, signers, int(document["answers"]), task)
