"""Three validators of three clusters on one machine, their sentries on another, all from one sealed image."""

from __future__ import annotations

from pathlib import Path

import pytest

from goldnode.config.node_config import MULTI_NODE
from goldnode.fleet import move as moving
from goldnode.fleet import up as story
from goldnode.fleet.fleet import Fleet
from goldnode.fleet.plan import FIRST_NUMBER, Node, VmSpec
from goldnode.progress import SILENT
from tests.fleet import crowd
from tests.fleet.conftest import Login, next_image, where
from tests.support.waiting import until

pytestmark = [pytest.mark.long, pytest.mark.timeout(3000)]
SEATS = (
    VmSpec("trio", MULTI_NODE, FIRST_NUMBER, tuple(Node(f"v-{c}", "validator", c) for c in "abc")),
    VmSpec("posts", MULTI_NODE, FIRST_NUMBER + 1, tuple(Node(f"s-{c}", "sentry", c) for c in "abc")),
)
fleet = crowd.standing(SEATS, sentries=1)


def test_every_node_is_a_line_of_its_own(fleet: Fleet) -> None:
    """`fleet status` tells six nodes of two machines."""
    crowd.is_told_node_by_node(fleet)


def test_one_page_has_the_metrics_of_all_nodes(fleet: Fleet) -> None:
    """One port on each machine tells of all three nodes."""
    crowd.has_one_page_of_metrics(fleet)


def test_validators_sign_while_another_dies_and_dies(fleet: Fleet, login: Login) -> None:
    """A validator beside two others is killed twenty times; both sign on."""
    crowd.lets_siblings_sign_while_one_dies(fleet, login, "v-b", ["v-a", "v-c"])


def test_a_new_image_is_the_update_of_every_node(fleet: Fleet, login: Login, second_image: Path) -> None:
    """Three validators move to one new machine of the next image, each runs its daemon, and each signs again."""
    names = [node.name for node in where(fleet, "v-a").nodes]
    new = moving.move(fleet, where(fleet, "v-a").name, second_image, login.private, SILENT, story.TIMEOUT)
    height, all_of_them = fleet.external().height(), crowd.addresses(fleet)
    signing = until(lambda: all_of_them <= fleet.external().signers() and fleet.external().height() > height + 3, 300)
    running = login.ask(
        fleet, new, "for n in " + " ".join(names) + "; do "
        "stat -Lc %d:%i /proc/$(systemctl show -P MainPID goldnode-node@$n.service)/exe; done;"
        " stat -c %d:%i /usr/lib/goldnode/bin/*; jq --version",
    ).split()  # fmt: skip

    assert signing, fleet.console(new.name)[-3000:]
    assert [running[3]] * 3 == running[:3]
    assert running[4].startswith("jq-1")


@pytest.fixture(scope="module")
def second_image(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The next image of the fleet's network."""
    return next_image(fleet.state.spec.network, tmp_path_factory.mktemp("second"))
