"""A world in which machines share one key, and everything goes wrong that can: for the rules of the signing lease.

The rules are those of a module that is handed in, shipped or with one rule taken out.  Machines crash
and pause between any two steps, disks are lost, rolled back and cloned, messages are late, lost or
doubled, the store is restored from backups.  The oracle knows what no machine does: who signed which height.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from goldnode.node.keys.signing_state import UNUSED, SigningState

#: N in these worlds: small, so that grants end.
AHEAD = 4


class EquivocationError(AssertionError):
    """Two signatures for one height."""


@dataclass
class Signer:
    """A signer's process: a grant in memory, what it signed on its disk."""

    session: str
    last: SigningState
    grant: Any = None
    stopped: bool = False


@dataclass
class Machine:
    """One machine; `keeper` and `signer` are memory, the rest is disk or chain."""

    holder: str
    signer: Signer
    keeper: Any
    verified: int = 0
    new_in: str = ""
    takeover: bool = False
    reading: Any = None
    situation: Any = None
    answer: Any = None
    grant: Any = None
    disks: list[SigningState] = field(default_factory=list)
    lag: int = 0


@dataclass
class Faults:
    """Which rules of the signer and of the store's keeping are broken in this world; none when all are kept."""

    signs_before_it_writes: bool = False
    keeps_its_incarnation: bool = False
    signs_after_its_release: bool = False


class World:
    """Machines, one store, one chain.

    Args:
        rules: ``goldnode.node.keys.lease``, or a copy of it with a fault.
        dice: Decides everything.
        restores: Whether the store is ever restored; a machine then knows when it has caught up, else it may lag.
        faults: Rules broken outside of ``rules``.
    """

    def __init__(self, rules: ModuleType, dice: random.Random, *, restores: bool, faults: Faults | None = None) -> None:
        self.rules, self.dice, self.restores, self.faults = rules, dice, restores, faults or Faults()
        self.incarnation, self.number = "i0", 0
        self.lease: Any = None
        self.backups: list[tuple[int, Any]] = [(0, None)]
        self.tip = dice.choice([0, 0, 20])
        self.signed: dict[int, str] = {}
        self.network: list[tuple[Any, Machine | None]] = []
        self.count = 0
        self.machines = [self._machine(f"m{n}") for n in range(dice.randint(2, 4))]
        if self.tip == 0:
            # One new key on all of them, as clones of one disk.
            for machine in self.machines:
                machine.new_in = self.incarnation

    def fresh(self, what: str) -> str:
        """A name never used before."""
        self.count += 1
        return f"{what}{self.count}"

    def run(self, steps: int) -> None:
        """Let things happen."""
        usual = [self.block, self.block, self.follow, self.read, self.sample, self.think, self.deliver, self.hear,
                 self.settle, self.take, self.sign, self.sign, self.lap, self.lap]  # fmt: skip
        rare = [self.crash, self.keeper_crash, self.release, self.allow, self.lose_answer, self.clone]
        if self.restores:
            rare += [self.backup, self.restore]
        for _ in range(steps):
            self.dice.choice(usual if self.dice.random() < 0.85 else rare)()

    def lap(self) -> None:
        """One machine gets through all its steps: without it chance alone seldom lets anybody sign."""
        self.lap_of(self.dice.choice(self.machines))

    def lap_of(self, machine: Machine) -> None:
        """Each step of one machine, once."""
        for act in (self._follow, self._read, self._sample, self._think, self._deliver, self._hear, self._settle,
                    self._take, self._sign):  # fmt: skip
            act(machine)

    def block(self) -> None:
        """The chain goes on, with or without this key."""
        self.tip += 1

    def follow(self) -> None:
        """A machine verifies some of the blocks."""
        self._follow(self.dice.choice(self.machines))

    def _follow(self, machine: Machine) -> None:
        latest = max(machine.verified, self.tip - machine.lag)
        machine.verified = self.dice.choice([latest, self.dice.randint(machine.verified, latest)])

    def read(self) -> None:
        """A machine reads the store; what it read may be old when it acts on it."""
        self._read(self.dice.choice(self.machines))

    def _read(self, machine: Machine) -> None:
        machine.reading, machine.situation = self._reading(), None

    def sample(self) -> None:
        """A machine asks its daemon and its signer, after it has read the store."""
        self._sample(self.dice.choice(self.machines))

    def _sample(self, machine: Machine) -> None:
        if machine.reading is None:
            return
        machine.keeper = self.rules.begin(machine.keeper, machine.signer.session)
        machine.situation = self.rules.Situation(
            holder=machine.holder,
            session=machine.signer.session,
            last=machine.signer.last,
            verified=machine.verified,
            in_sync=not self.restores or machine.verified == self.tip,
            ahead=AHEAD,
            takeover=machine.takeover,
            new_in=machine.new_in,
        )

    def think(self) -> None:
        """A keeper decides."""
        self._think(self.dice.choice(self.machines))

    def _think(self, machine: Machine) -> None:
        now, reading = machine.situation, machine.reading
        if now is None or machine.keeper.write or machine.keeper.session != now.session or machine.signer.stopped:
            return
        step = self.rules.advance(machine.keeper, now, reading, self.fresh("n"))
        machine.reading = machine.situation = None
        self._follow_up(machine, step)

    def deliver(self) -> None:
        """The store gets one of the messages under way, in whatever order."""
        if self.network:
            self._serve(self.dice.randrange(len(self.network)))

    def _deliver(self, machine: Machine) -> None:
        for index in range(len(self.network) - 1, -1, -1):
            if self.network[index][1] is machine:
                self._serve(index)
                return

    def _serve(self, index: int) -> None:
        write, sender = self.network.pop(index)
        if self.dice.random() < 0.1:
            self.network.append((write, None))
        answer: Any = self.rules.Answer.REFUSED
        if self.rules.may_swap(self._revision(), write.expected):
            self.number += 1
            self.lease, answer = write.lease, self._revision()
        if sender and sender.keeper.write == write and self.dice.random() < 0.8:
            sender.answer = answer

    def hear(self) -> None:
        """A keeper hears an answer."""
        self._hear(self.dice.choice(self.machines))

    def _hear(self, machine: Machine) -> None:
        if machine.answer is not None and machine.keeper.write:
            answer, machine.answer = machine.answer, None
            self._follow_up(machine, self.rules.answered(machine.keeper, answer))

    def lose_answer(self) -> None:
        """An answer does not arrive."""
        self.dice.choice(self.machines).answer = None

    def settle(self) -> None:
        """A keeper waited long enough for an answer, and looks for itself."""
        self._settle(self.dice.choice(self.machines))

    def _settle(self, machine: Machine) -> None:
        if machine.keeper.write and machine.answer is None:
            self._follow_up(machine, self.rules.settle(machine.keeper, self._reading()))

    def take(self) -> None:
        """The signer gets the grant that its keeper sent."""
        self._take(self.dice.choice(self.machines))

    def _take(self, machine: Machine) -> None:
        grant, signer = machine.grant, machine.signer
        if grant and grant.session == signer.session and not signer.stopped:
            signer.grant = grant
        machine.grant = None

    def sign(self) -> None:
        """The daemon asks for a signature of the height after its last."""
        self._sign(self.dice.choice(self.machines))

    def _sign(self, machine: Machine) -> None:
        signer, height = machine.signer, machine.verified + 1
        grant = signer.grant
        ended = signer.stopped and not self.faults.signs_after_its_release
        if ended or grant is None or not grant.lo <= height <= grant.hi or height <= signer.last.height:
            return
        if self.signed.setdefault(height, signer.session) != signer.session:
            raise EquivocationError(f"{signer.session} signs {height}, which {self.signed[height]} has signed")
        if not self.faults.signs_before_it_writes or self.dice.random() < 0.5:
            signer.last = SigningState(height, 0, 3)
            machine.disks.append(signer.last)

    def release(self) -> None:
        """A machine is shut down in order: the signer stops, and the keeper publishes."""
        machine = self.dice.choice(self.machines)
        machine.signer.stopped = True
        if machine.keeper.write is None and machine.keeper.session == machine.signer.session:
            self._follow_up(machine, self.rules.release(machine.keeper, machine.signer.last, self.fresh("n")))

    def crash(self) -> None:
        """Power is lost; the disk may come back older, or empty."""
        machine = self.dice.choice(self.machines)
        last = machine.signer.last
        if self.dice.random() < 0.3:
            last = self.dice.choice([UNUSED, *machine.disks])
        machine.signer = Signer(self.fresh("s"), last)
        self._forget(machine)

    def keeper_crash(self) -> None:
        """The keeper alone ends; its signer signs on."""
        self._forget(self.dice.choice(self.machines))

    def allow(self) -> None:
        """A person types `goldnode takeover`, or another time does not."""
        machine = self.dice.choice(self.machines)
        machine.takeover = not machine.takeover

    def clone(self) -> None:
        """A machine's disk is started in place of another's, while the first one lives."""
        one, other = self.dice.sample(self.machines, 2)
        other.holder, other.new_in, other.disks = one.holder, one.new_in, list(one.disks)
        other.signer = Signer(self.fresh("s"), one.signer.last)
        self._forget(other)

    def backup(self) -> None:
        """The store is backed up."""
        self.backups.append((self.number, self.lease))

    def restore(self) -> None:
        """The store is restored by the documented procedure: it gets a new incarnation before it serves."""
        self.number, self.lease = self.dice.choice(self.backups)
        if not self.faults.keeps_its_incarnation:
            self.incarnation = self.fresh("i")
        for machine in self.dice.sample(self.machines, 2):
            machine.verified = self.tip
            self.lap_of(machine)

    def _machine(self, holder: str) -> Machine:
        made = Machine(holder, Signer(self.fresh("s"), UNUSED), self.rules.LeaseMemory())
        made.takeover = self.dice.random() < 0.5
        made.lag = 0 if self.restores else self.dice.choice([0, 0, 3, 12])
        return made

    def _forget(self, machine: Machine) -> None:
        machine.keeper = self.rules.begin(self.rules.LeaseMemory(), machine.signer.session)
        machine.reading = machine.situation = machine.answer = machine.grant = None

    def _follow_up(self, machine: Machine, step: Any) -> None:
        machine.keeper = step.keeper
        # What was read before an answer says nothing after it.
        machine.reading = machine.situation = None
        if step.revoke:
            machine.signer.grant = machine.grant = None
        if step.grant:
            machine.grant = step.grant
        if step.write:
            machine.answer = None
            self.network.append((step.write, machine))

    def _revision(self) -> Any:
        return self.rules.Revision(self.incarnation, str(self.number) if self.lease else self.rules.ABSENT)

    def _reading(self) -> Any:
        return self.rules.Reading(self._revision(), self.lease)
