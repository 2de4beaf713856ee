"""Faulty user-data, every kind of it, on the sealed tree: what the person reads, and that nothing starts."""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.boot.container import container
from tests.support.node_lab import Cluster

pytestmark = [pytest.mark.root, pytest.mark.any_image]
CASES = Path(__file__).parent / "cases"
GENESIS = b'{"chain_id": "localnet-1"}'


@dataclass(frozen=True)
class Case:
    """A case folder.

    Attributes:
        user_data: What is pasted; words in braces stand for what only a run can know.
        console: Patterns the console must match.
        absent: Texts that must not be on the console.
        configure: How the configuring unit ends: `success` or `failed`.
        network: The only network whose nodes it is about; empty when it is about any image.
    """

    user_data: str
    console: tuple[str, ...]
    absent: tuple[str, ...] = ()
    configure: str = "failed"
    units: tuple[str, ...] = ()
    network: str = ""

    @classmethod
    def read(cls, folder: Path) -> Case:
        """Read it."""
        expected = yaml.safe_load((folder / "expect.yaml").read_text())
        return cls(
            fill((folder / "user-data").read_text()),
            tuple(expected["console"]),
            tuple(expected.get("absent", ())),
            expected.get("configure", "failed"),
            tuple(expected.get("units", ())),
            expected.get("network", ""),
        )


def fill(text: str) -> str:
    """Put invites of a cluster in place of words in braces."""
    cluster = Cluster()
    invite = cluster.invite("sentry")
    words = {
        "invite": invite,
        "validator_invite": cluster.invite("validator"),
        "expired_invite": cluster.invite("sentry", not_after=int(time.time()) - 7 * 86400),
        "truncated_invite": invite[:-20],
        "genesis": hashlib.sha256(GENESIS).hexdigest(),
    }
    for name, word in words.items():
        text = text.replace(f"{{{name}}}", word)
    return text


@pytest.mark.parametrize("name", sorted(path.name for path in CASES.iterdir()))
def test_faulty_user_data(tree: Path, network: str, tmp_path: Path, name: str) -> None:
    """The console says what is wrong and what to change; no unit of a role starts and nobody listens."""
    case = Case.read(CASES / name)
    if case.network not in ("", network):
        # A release asks this of its own image, whatever its network; on localnet's, the default, none is left out.
        pytest.skip(f"is about nodes of {case.network}, and this is an image of {network}")
    done = r"(Finished|Failed to start).*goldnode-configure"
    with container(tree, tmp_path, case.user_data) as machine:
        machine.wait_for(done)
        machine.wait_for(r"login:|Reached target.*[Mm]ulti-[Uu]ser")
        console, state = machine.console, machine.ask("systemctl", "show", "-P", "Result", "goldnode-configure.service")
        listening, units = machine.listening(), machine.units()

    missing = [pattern for pattern in case.console if not re.search(pattern, console)]

    assert ([], []) == (missing, [text for text in case.absent if text in console]), console[-3000:]
    assert ("success" == state.strip()) == (case.configure == "success")
    assert ([*case.units], []) == (units, listening)
