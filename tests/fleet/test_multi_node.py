"""One machine, one whole cluster, from the sealed image: a validator and its own two sentries."""

from __future__ import annotations

import pytest

from goldnode.config.node_config import MULTI_NODE
from goldnode.fleet.fleet import Fleet
from goldnode.fleet.plan import FIRST_NUMBER, Node, VmSpec
from tests.fleet import crowd
from tests.fleet.conftest import Login

pytestmark = [pytest.mark.long, pytest.mark.timeout(3000)]
SEATS = (
    VmSpec(
        "house", MULTI_NODE, FIRST_NUMBER, (Node("hidden", "validator"), Node("s-1", "sentry"), Node("s-2", "sentry"))
    ),
)
fleet = crowd.standing(SEATS, sentries=2)


def test_every_node_is_a_line_of_its_own(fleet: Fleet) -> None:
    """`fleet status` tells three nodes of one machine."""
    crowd.is_told_node_by_node(fleet)


def test_one_page_has_the_metrics_of_all_nodes(fleet: Fleet) -> None:
    """One port tells of all three nodes."""
    crowd.has_one_page_of_metrics(fleet)


def test_the_validator_signs_while_a_sentry_dies_and_dies(fleet: Fleet, login: Login) -> None:
    """A sentry beside its validator is killed twenty times; the validator signs on through the other."""
    crowd.lets_siblings_sign_while_one_dies(fleet, login, "s-2", ["hidden"])
