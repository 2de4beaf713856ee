"""The rules of the signing lease with one of them taken out: what must end in two signatures for one height."""

from __future__ import annotations

import random
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from goldnode.node.keys import lease
from tests.support.lease_world import EquivocationError, Faults, World


@dataclass(frozen=True, slots=True)
class Mutant:
    """A rule, and how it is taken out.

    Attributes:
        rule: As docs/lease.md names it, and what is done to it.
        edits: Texts that stand exactly once in the shipped module, and what stands there instead.
        faults: Rules of the signer or of the store's keeping, broken in the world.
    """

    rule: str
    edits: tuple[tuple[str, str], ...] = ()
    faults: Faults | None = None

    def load(self) -> ModuleType:
        """The mutated module."""
        source = Path(lease.__file__).read_text(encoding="utf-8")
        for old, new in self.edits:
            assert source.count(old) == 1, f"{self.rule}: {old!r} is not once in the module"
            source = source.replace(old, new)
        module = ModuleType("mutated_lease")
        sys.modules[module.__name__] = module
        try:
            exec(compile(source, "mutated_lease", "exec"), module.__dict__)  # noqa: S102
        finally:
            del sys.modules[module.__name__]
        return module


_RESUMES = "if lease.holder == now.holder and same and lease.state is LeaseState.HELD:"
_OPENS = "max(keeper.won_at + now.ahead, lease.hi + 1, now.last.height + 1)"
_LOSES = 'return LeaseStep(LeaseMemory(keeper.session), revoke=True, reason="the'
_MISTAKEN = """if reading.lease:
        write = Write(reading.revision, write.lease)
        return LeaseStep(replace(keeper, write=write), write=write)"""
_RESUMED = "lo = max(lease.hi, now.last.height) + 1"
_HI = "hi = now.verified + now.ahead\n"
MUTANTS = (
    Mutant("R1: a signature leaves before its height is on disk", faults=Faults(signs_before_it_writes=True)),
    Mutant("R2: a grant reaches further than N", ((_HI, _HI.replace("+ now", "+ 3 * now")),)),
    Mutant(
        "R4: the incarnation is not compared",
        (
            ("store.incarnation == expected.incarnation and store", "store"),
            (" or answer.incarnation != write.expected.incarnation", ""),
        ),
    ),
    Mutant("R4: the revision is not compared", ((" and store.number == expected.number", ""),)),
    Mutant(
        "R4: an unanswered write is taken for ours by its session, not by its nonce",
        (("reading.lease.nonce == write.lease.nonce", "reading.lease.session == write.lease.session"),),
    ),
    Mutant(
        "R4: a write that was refused is sent again with the revision that refused it",
        (
            (
                "if reading.revision == write.expected:\n        return LeaseStep(keeper, write=write)",
                _MISTAKEN,
            ),
        ),
    ),
    Mutant("R5: only what the disk says is released", (("max(stopped_at, SigningState(lease.lo - 1))", "stopped_at"),)),
    Mutant("R5: a pending lease is released", ((" or lease.state is not LeaseState.HELD:", ":"),)),
    Mutant("R5: the signer goes on after it released", faults=Faults(signs_after_its_release=True)),
    Mutant("R6: a release of another incarnation starts warm", (("        if same:\n", "        if revision:\n"),)),
    Mutant("R7: a stored hi is not carried", (("nonce), hi=hi)", "nonce), hi=0)"),)),
    Mutant("R7: a winning acquisition opens heights at once", ((_OPENS, "now.last.height + 1"),)),
    Mutant("R7: a pending lease is resumed", ((_RESUMES, "if lease.holder == now.holder and same:"),)),
    Mutant("R7: lo is not N above H*", ((_OPENS, "max(keeper.won_at, lease.hi + 1, now.last.height + 1)"),)),
    Mutant("R7: H* is the last verified height", (("won_at=now.verified + 1)", "won_at=now.verified)"),)),
    Mutant("R7: lo does not respect the stored hi", ((_OPENS, "max(keeper.won_at + now.ahead, now.last.height + 1)"),)),
    Mutant(
        "R7: H* is not taken anew",
        (
            ("return LeaseStep(replace(won, won_at=0), reason", "return LeaseStep(won, reason"),
            (_LOSES, _LOSES.replace(")", ", won_at=keeper.won_at)")),
        ),
    ),
    Mutant("R8: a process goes on from what its disk says", ((_RESUMED, "lo = now.last.height + 1"),)),
    Mutant("R8: a lease of another incarnation is resumed", ((_RESUMES, _RESUMES.replace(" and same", "")),)),
    Mutant("S2: a restored store keeps its incarnation", faults=Faults(keeps_its_incarnation=True)),
    Mutant("a key stays new in another incarnation", (("now.new_in == revision.incarnation and", "now.new_in and"),)),
)


def search(rules: ModuleType, faults: Faults | None, lives: range, steps: int = 400) -> str:
    """Let worlds live until one has two signatures for one height; what it was, empty when none has."""
    for number in lives:
        world = World(rules, random.Random(number), restores=bool(number % 3), faults=faults)  # noqa: S311
        try:
            world.run(steps)
        except EquivocationError as found:
            return f"world {number}: {found}"
    return ""
