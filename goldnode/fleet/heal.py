"""What an instance group does, here: a machine that does not answer is given up, and a new one takes its place.

It is as stupid as the ones that clouds have, on purpose.  It knows nothing of keys, heights and leases, asks the old
machine nothing, and does not switch it off: a machine whose cable was pulled lives on, and may come back.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from dataclasses import dataclass, field

from goldnode.errors import HostError
from goldnode.fleet.fleet import Fleet
from goldnode.fleet.plan import VmSpec
from goldnode.node.plan.ports import METRICS

#: Seconds for one answer; a machine without KVM is slow.
ANSWER = 5.0
_ASK = "import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=float(sys.argv[2])).read()"


@dataclass(frozen=True, slots=True)
class Replacement:
    """A machine that was given up.

    Attributes:
        old: It.
        new: What took its place.
        why: What was seen.
    """

    old: str
    new: str
    why: str


@dataclass(slots=True)
class Healer:
    """Replaces machines of a fleet.

    Attributes:
        fleet: The fleet, made with ``lease``.
        clock: Seconds, monotonic.
        timeout: Seconds of silence after which a machine is given up.
        answered: When each machine answered last; absent before it ever did.
    """

    fleet: Fleet
    clock: Callable[[], float]
    timeout: float
    answered: dict[str, float] = field(default_factory=dict)

    def reconcile(self) -> list[Replacement]:
        """Ask every machine once, and replace those that are gone."""
        done = []
        for vm in self.fleet.state.vms:
            if why := self._gone(vm):
                done.append(Replacement(vm.name, self.fleet.replace_machine(vm.name).name, why))
                self.answered.pop(vm.name, None)
        return done

    def _gone(self, vm: VmSpec) -> str:
        """Why a machine is given up; empty when it is not."""
        if self.fleet.namespace.programs().get(vm.name, 1) is not None:
            return "it is off"
        if self._answers(vm):
            self.answered[vm.name] = self.clock()
            return ""
        since = self.answered.get(vm.name)
        # One that never answered is still booting, as far as anybody knows.
        if since is None or self.clock() - since < self.timeout:
            return ""
        return f"it has not answered for {self.clock() - since:.0f} s"

    def _answers(self, vm: VmSpec) -> bool:
        """Whether its page of metrics is there."""
        page = f"http://{vm.address}:{METRICS}/metrics"
        argv = [sys.executable, "-I", "-c", _ASK, page, str(ANSWER)]
        with contextlib.suppress(HostError):
            return self.fleet.namespace.run(argv, check=False, timeout=3 * ANSWER).returncode == 0
        return False
