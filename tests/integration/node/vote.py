"""A governance proposal on a miniature fleet's chain: everybody who bonds votes for it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goldnode.fleet.history import RPC_PORT
from goldnode.run import run
from tests.integration.node.fleet import WORLD, Fleet
from tests.support.waiting import until

#: How long a vote lasts here; a real chain's takes days.
PERIOD = "45s"


def quick(document: dict[str, Any]) -> None:
    """Let votes of this genesis last seconds."""
    params = document["app_state"]["gov"]["params"]
    params |= {"voting_period": PERIOD, "expedited_voting_period": "6s", "max_deposit_period": PERIOD}


@dataclass(frozen=True)
class Voters:
    """The accounts of the chain's validators."""

    fleet: Fleet

    def do(self, *words: str) -> dict[str, Any]:
        """Ask the chain, or send it something, by the daemon's own commands."""
        node = f"tcp://{WORLD[0].address}:{RPC_PORT}"
        program = self.fleet.program
        argv = ["ip", "netns", "exec", self.fleet.world, str(program.binary), *words, "--node", node]
        argv += ["--output", "json", "--home", str(self.fleet.folder / "voters")]
        env = program.environment(self.fleet.folder / "voters")
        found: dict[str, Any] = json.loads(run(argv, env=env, timeout=60).stdout)
        return found

    def send(self, who: str, *words: str) -> None:
        """Send a transaction, and see it in a block."""
        chain = self.fleet.program.network.chain_id
        sent = self.do("tx", *words, "--from", who, "--keyring-backend", "test", "--chain-id", chain, "--yes",
                       "--gas", "400000", "--fees", "0stake")  # fmt: skip
        assert sent["code"] == 0, sent

        def there() -> bool:
            answer = self.fleet.ask(f"tx_search?query=%22tx.hash=%27{sent['txhash']}%27%22")
            return int(answer["total_count"]) == 1 and answer["txs"][0]["tx_result"]["code"] == 0

        assert until(there, 30), sent

    def upgrade(self, name: str, height: int, voters: list[str]) -> None:
        """Propose an upgrade, and vote for it."""
        account = self.do("query", "auth", "module-account", "gov")["account"]
        authority = account.get("base_account", account.get("value", {})).get("address") or account["value"]["address"]
        message = {
            "@type": "/cosmos.upgrade.v1beta1.MsgSoftwareUpgrade",
            "authority": authority,
            "plan": {"name": name, "height": str(height), "info": ""},
        }
        proposal = {"messages": [message], "deposit": "10000000stake", "title": name, "summary": name, "metadata": ""}
        file: Path = self.fleet.folder / f"{name}.json"
        file.write_text(json.dumps(proposal))
        self.send(voters[0], "gov", "submit-proposal", str(file))
        number = self.do("query", "gov", "proposals")["proposals"][-1]["id"]
        for voter in voters:
            self.send(voter, "gov", "vote", number, "yes")
