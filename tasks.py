"""The tasks of ./invoke, put together; what each does stands in goldnode/tasks/."""

import os
import sys

from invoke.collection import Collection

from goldnode.tasks import words

if (joined := words.join(sys.argv[1:])) != sys.argv[1:]:
    # `invoke network check`, typed in the activated environment, is what ./invoke makes of it.
    os.execv(sys.argv[0], [sys.argv[0], *joined])  # noqa: S606

from goldnode.tasks import bake, bench, boot, cluster, console, fleet, image, network, release, rendezvous, test

ns = Collection()
for task in (
    bake.bake,
    boot.boot,
    test.prove,
    test.check,
    network.networks,
    rendezvous.rendezvous,
    release.release,
    release.verify,
    release.diff,
    release.publish,
):
    ns.add_task(task)
for group in (network, image, cluster, fleet, bench):
    ns.add_collection(group.ns, name=group.__name__.rpartition(".")[2])
console.guard_all(ns)
