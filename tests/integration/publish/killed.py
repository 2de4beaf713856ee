"""Publish with a ledger that kills the process; run as a program, because death is meant.

    killed.py ENDPOINT RAW LEDGER before|after

Children are forked one after another, each with the ledger its predecessor left, until one lives
to the end.  Each dies at the first record at which none has died: `after` once the record is on
disk, before the call that it announces; `before` when the call is made, before its result is known.
Prints at how many records one died.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from goldnode.publish.aws.clients import Clients
from goldnode.publish.aws.publish import publish
from goldnode.publish.ledger import Facts, Ledger
from tests.integration.publish.test_aws import LIMITS, REGIONS, work


class Deadly(Ledger):
    """A ledger that kills whoever writes a record to it, once per record."""

    deaths: Path
    before: bool

    def _append(self, record: Facts) -> None:
        line = json.dumps(record, sort_keys=True) + "\n"
        fatal = line not in self.deaths.read_text()
        if fatal and self.before:
            self._die(line)
        super()._append(record)
        if fatal:
            self._die(line)

    def _die(self, line: str) -> None:
        with self.deaths.open("a") as stream:
            stream.write(line)
        os.kill(os.getpid(), signal.SIGKILL)


def main(endpoint: str, raw: Path, ledger: Path, when: str) -> int:
    """Fork publishers until one survives; returns the number of dead."""
    clients = Clients(LIMITS, endpoint)
    for region in REGIONS:
        for make in (clients.ebs, clients.ec2, clients.ssm):
            make(region)
    Deadly.deaths, Deadly.before = ledger.with_suffix(".deaths"), when == "before"
    Deadly.deaths.touch()
    for dead in range(100):
        child = os.fork()
        if child == 0:
            release = work(ledger.parent, endpoint, raw).ami.release
            publish(work(ledger.parent, endpoint, raw, clients=clients, ledger=Deadly(ledger, release)))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            return dead if os.waitstatus_to_exitcode(status) == 0 else -1
    return -1


if __name__ == "__main__":
    print(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]))
