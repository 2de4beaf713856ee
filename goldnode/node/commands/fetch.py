"""``goldnode fetch``: run by goldnode-fetch.service, and by people who announce an upgrade."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from goldnode.fetch.store import ArtifactStore
from goldnode.node.commands.boot import restart_agent, text_of
from goldnode.node.layout import Layout
from goldnode.node.plan.inputs import read_image
from goldnode.node.system.system import for_root
from goldnode.node.versions import fetching, rungs
from goldnode.progress import SILENT


def fetch(layout: Layout, arguments: Namespace) -> None:
    """Fetch what the bake deferred, and future versions, each verified before it gets its name."""
    file: Path | None = getattr(arguments, "network", None)
    image = rungs.announce(layout, text_of(file), str(file)) if file else read_image(layout)
    store = ArtifactStore(layout.state / "artifacts")
    for path in fetching.fetch(layout, store, SILENT):
        print(f"goldnode: fetched and verified {path}")
    fetching.check_daemon(image.daemon, image.network.daemon)
    fetching.make_defaults(image.daemon, image.network, layout.library / "defaults")
    for line in rungs.fetch(image, store, SILENT):
        print(f"goldnode: {line}")
    if file:
        restart_agent(for_root(layout.root))
