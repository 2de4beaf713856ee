"""``goldnode`` on the node: the one command a person on its console needs.

Each verb is a function in ``goldnode.node.commands``; this module reads the command line, and
turns errors into one sentence, one hint and an exit code.  Only the verb's own module is imported:
Python from a zip compiles what it imports, and every boot and every start of a daemon waits for it.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from goldnode.errors import GoldnodeError, HostError, UsageError
from goldnode.node.layout import Layout


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit code is that of the error's class (``goldnode/errors.py``)."""
    arguments = _parser().parse_args(argv)
    logging.basicConfig(
        level=logging.DEBUG if arguments.debug else logging.INFO, format="%(message)s", stream=sys.stderr
    )
    try:
        module, _, function = arguments.run.partition(".")
        run = getattr(importlib.import_module(f"goldnode.node.commands.{module}"), function)
        gc.enable()  # START disabled it
        return int(run(Layout(arguments.root), arguments) or 0)
    except GoldnodeError as error:
        if arguments.debug:
            raise
        print(f"goldnode: {error}", file=sys.stderr)
        if error.hint:
            print(f"goldnode: try: {error.hint}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        if arguments.debug:
            raise
        print(f"goldnode: {error.filename or arguments.verb}: {error.strerror or error}", file=sys.stderr)
        return HostError.exit_code


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]  # argparse's own never returns
        print(f"goldnode: {message}\n{self.format_usage().rstrip()}", file=sys.stderr)
        raise SystemExit(UsageError.exit_code)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="goldnode", description="This machine's nodes: what they are, and what to do with them.")
    parser.add_argument("--root", type=Path, default=Path("/"), help="act on a tree below this folder (tests)")
    parser.add_argument("--debug", action="store_true", help="say more, and show tracebacks")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="COMMAND")

    def verb(name: str, run: str, text: str) -> argparse.ArgumentParser:
        found = verbs.add_parser(name, help=text, description=text)
        found.set_defaults(run=run)
        return found

    configuring = verb(
        "configure",
        "boot.configure",
        "configure this machine from node.yaml (at every boot; a second run changes nothing)",
    )
    verb("check", "boot.check", "list every error in a node.yaml").add_argument("file", type=Path)
    verb("apply", "boot.apply", "apply another node.yaml to this machine").add_argument("file", type=Path)
    rebind = verb("rebind", "rebind.rebind", "confirm that this is the same machine when only its instance ID changed")
    rebind.add_argument("--yes", action="store_true", help="do not ask for confirmation")
    fetching = verb("fetch", "fetch.fetch", "download and verify deferred artifacts and upcoming versions")
    fetching.add_argument("--network", type=Path, metavar="FILE", help="apply the upgrades: of this network file")
    keeping = verb(
        "agent", "loop.agent", "run the agent, which keeps the nodes as their roles say (goldnode-agent.service)"
    )
    for starting in (configuring, keeping):
        starting.add_argument("--after", type=Path, metavar="FILE", help="wait until this file is there")
    verb("run", "preflight.run", "become a node's daemon (goldnode-node@.service)").add_argument("name")
    verb("status", "nodes.status", "show the state of every node").add_argument("--json", action="store_true")
    shown = _named(verb("logs", "nodes.logs", "show a node's log"))
    shown.add_argument("-f", "--follow", action="store_true", help="follow the log")
    _named(verb("peers", "nodes.peers", "show a node's connected and missing peers"))
    _named(verb("start", "nodes.start", "let a stopped node run again"))
    stop = _named(verb("stop", "nodes.stop", "stop a node"))
    stop.add_argument("--hold", action="store_true", help="until goldnode start, even across reboots")
    verb("add", "lineup.add", "add a node; FILE is an entry of nodes:").add_argument("file", type=Path)
    _named(verb("remove", "lineup.remove", "remove a node; its keys and data stay on the disk"))
    _named(verb("restart", "nodes.restart", "restart a node without affecting the others"))
    _named(verb("rollback", "tip.rollback", "roll back an upgrade, if the new version has signed nothing"))
    catching = _named(verb("catch-up", "tip.catch_up", "retry bringing a node without state to the tip"))
    catching.add_argument(
        "--replay", action="store_true", help="replay every block from the genesis, however long it takes"
    )
    hosted_actions = ("status", "start", "stop", "restart", "add", "remove", "threads", "log", "canary", "prepare")
    hosted = verb("jvm", "hosted.jvm", "the nodes of a JVM network (goldnode-jvm.service)")
    hosted.add_argument("action", choices=hosted_actions)
    _named(hosted)
    hosted.add_argument(
        "level", nargs="?", help="of log: error, warn, info, debug or trace, until the node starts again"
    )
    hosted.add_argument("--replace", metavar="JAR", help="of canary: the image's jar that one node shall not use")
    hosted.add_argument("--by", type=Path, metavar="FILE", help="of canary: the jar that this node uses instead")
    hosted.add_argument("--sha256", metavar="HEX", help="of canary: what the hash of FILE has to be")
    hosted.add_argument("--end", action="store_true", help="of canary: the node uses the image's jars again")
    moving = _named(verb("handover", "keyring.handover", "stop a node and let its volume move to one new machine"))
    moving.add_argument("--cancel", action="store_true", help="cancel it, as long as no machine has taken the volume")
    taking = _named(verb("takeover", "takeover.takeover", "continue with a validator whose machine is gone"))
    taking.add_argument("--gone", action="store_true", help="the other machine is gone for good; do not ask")
    verb("signer", "lease.signer", "become a node's signer (goldnode-signer@.service)").add_argument("name")
    _lease(verbs.add_parser("lease", help="a validator's signing lease: keep, restored"))
    _keys(verbs.add_parser("key", help="a validator's consensus key: show, export, backup, import, recover"))
    return parser


def _named(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("name", nargs="?", help="the node; optional on a machine with one node")
    return parser


def _lease(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="lease_verb", required=True, metavar="COMMAND")
    kept = verbs.add_parser("keep", help="keep a node's lease (goldnode-lease@.service)")
    kept.add_argument("name")
    kept.set_defaults(run="lease.keep")
    for name, text in (("form", "check that a sentry's etcd may start"), ("formed", "record that it has its data")):
        started = verbs.add_parser(name, help=f"{text} (goldnode-store@.service)")
        started.add_argument("name")
        started.set_defaults(run=f"lease.{name}")
    said = _named(verbs.add_parser("restored", help="say that the lease's store was restored from a backup"))
    said.set_defaults(run="lease.restored")


def _keys(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="key_verb", required=True, metavar="COMMAND")
    show = _named(verbs.add_parser("show", help="show a node's keys, never a secret"))
    show.set_defaults(run="keyring.show")
    for name, run, text in (
        ("export", "keyring.export", "write key and signing state to one file; the node then stops signing here"),
        ("import", "keyring.import_", "a key from such a file, or CometBFT's priv_validator_key.json with its state"),
    ):
        found = verbs.add_parser(name, help=text, description=text)
        found.add_argument("file", type=Path)
        _named(found).set_defaults(run=run)
        if name == "export":
            found.add_argument(
                "--for", dest="target", default="", metavar="NODE-ID", help="the only node that may import it"
            )
    found.add_argument("--state", type=Path, help="what the key signed last: the file of CometBFT, tmkms or Horcrux")
    found.add_argument("--never-used", action="store_true", help="FILE is a bare key that never signed anything")
    text = "a sealed copy of a key that signs by a lease; the key keeps signing"
    kept = verbs.add_parser("backup", help=text, description=text)
    kept.add_argument("file", type=Path)
    kept.add_argument("--to", required=True, metavar="gnb1_…", help="who can open it: ./invoke cluster backup-key NAME")
    _named(kept).set_defaults(run="keyring.backup")
    text = "a lost signing state: wait until the chain is past all that can have been signed, then sign on"
    _named(verbs.add_parser("recover", help=text, description=text)).set_defaults(run="keyring.recover")


if __name__ == "__main__":
    raise SystemExit(main())
