"""A machine whose data volume is attached later, if ever: it goes on waiting, and a person can log in meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.boot.container import container

pytestmark = [pytest.mark.root, pytest.mark.any_image, pytest.mark.long]
USER_DATA = """\
#cloud-config
write_files:
  - path: /etc/goldnode/node.yaml
    content: |
      version: 1
      role: rendezvous
      data: UUID=5e1ec7ed-0000-4000-8000-00000000cafe
"""


def test_a_machine_waits_for_its_volume(tree: Path, tmp_path: Path) -> None:
    """It boots to the end, says what it waits for, looks again by itself, and starts nothing meanwhile."""
    with container(tree, tmp_path, USER_DATA) as machine:
        machine.wait_for(r"is not attached")
        machine.wait_for(r"login:")
        machine.wait_for(r"is not attached[\s\S]*is not attached")
        restarts = machine.ask("systemctl", "show", "-P", "NRestarts", "goldnode-configure.service")

        assert int(restarts) >= 1
        assert [] == machine.units()
