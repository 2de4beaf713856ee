"""The tasks of ./invoke, put together; what each does stands in goldnode/tasks/."""

import os
import sys
from pathlib import Path

from invoke.collection import Collection

if {"invoke", "inv"} & {Path(sys.argv[0]).name, Path(sys.argv[0]).parent.name}:
    # `invoke`, typed in the activated environment, is what ./invoke becomes.
    main = Path(__file__).with_name("goldnode") / "tasks" / "__main__.py"
    os.execv(sys.executable, [sys.executable, str(main), *sys.argv[1:]])  # noqa: S606

from goldnode.tasks.terminal import lazy

with lazy.waiting():
    from goldnode.tasks import (
        bake,
        bench,
        boot,
        cluster,
        fleet,
        image,
        network,
        node,
        outdated,
        release,
        rendezvous,
        test,
    )
    from goldnode.tasks.operate import validator, watch

ns = Collection()
for task in (
    bake.bake,
    boot.boot,
    test.run_tests,
    test.check,
    network.networks,
    outdated.outdated,
    rendezvous.rendezvous,
    release.release,
    release.verify,
    release.diff,
    release.publish,
    watch.watch,
):
    ns.add_task(task)
for group in (network, image, cluster, node, validator, fleet, bench):
    ns.add_collection(group.ns, name=group.__name__.rpartition(".")[2])
