"""A chain's own program as a client, asking a server: what it is not told is never taken for an answer."""

from __future__ import annotations

import pytest

from goldnode.bake.programs.chain_client import ChainClient
from goldnode.cluster import staking
from goldnode.config import network as networks
from goldnode.fleet.program import program
from goldnode.progress import SILENT
from goldnode.run import CommandError


def test_a_server_that_does_not_answer_is_no_clean_record() -> None:
    """Nobody is taken for a validator that never signed because a server was not reached."""
    found = program(networks.load("localwasm"), SILENT)
    libraries = found.binary.parent / "lib"
    asked = ChainClient("localwasm-1", found.binary, libraries, rpc="http://127.0.0.1:1")

    with pytest.raises(CommandError, match="connection refused"):
        asked.signing_info(staking.consensus_key("A" * 43 + "="))
