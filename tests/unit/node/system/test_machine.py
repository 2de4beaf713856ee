"""Which machine this is: what it was when it was configured, and what one that lost its metadata is."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldnode.errors import SafetyError
from goldnode.node.layout import Layout
from goldnode.node.system import machine

DMI = "ec2f0a52-0000-4000-8000-000000000001"


def boot(
    root: Path, instance: str | None, dmi: str = DMI, machine_id: str = "m-1", source: str = "DataSourceEc2Local"
) -> Layout:
    """A machine as it is seen after cloud-init ran."""
    layout = Layout(root)
    facts = {"/sys/class/dmi/id/product_uuid": dmi.upper(), "/etc/machine-id": machine_id}
    facts["/var/lib/cloud/instance/datasource"] = f"{source}: {source}"
    for path, text in {**facts, "/var/lib/cloud/data/instance-id": instance}.items():
        layout.at(path).parent.mkdir(parents=True, exist_ok=True)
        if text is not None:
            layout.at(path).write_text(f"{text}\n")
    return layout


@pytest.mark.parametrize("instance", ["", machine.NO_DATASOURCE])
def test_a_machine_without_metadata_is_the_same(tmp_path: Path, instance: str) -> None:
    """With the firmware and the disk of the configured machine, cloud-init's ignorance changes nothing."""
    before = machine.read(boot(tmp_path, "i-1"))
    machine.remember(Layout(tmp_path))

    assert before == machine.read(boot(tmp_path, instance))


@pytest.mark.parametrize(
    ("instance", "dmi", "machine_id"),
    [
        (machine.NO_DATASOURCE, DMI.replace("1", "2"), "m-1"),
        (machine.NO_DATASOURCE, DMI, "m-2"),
        ("i-2", DMI, "m-1"),
        (machine.NO_DATASOURCE, "", "m-1"),
    ],
)
def test_a_copy_is_another_machine(tmp_path: Path, instance: str, dmi: str, machine_id: str) -> None:
    """One fact that differs makes it another machine, and the sentence names that fact."""
    before = machine.read(boot(tmp_path, "i-1"))
    machine.remember(Layout(tmp_path))
    copy = boot(tmp_path, instance, dmi, machine_id)

    assert before.binding != machine.read(copy).binding
    assert " was " in machine.changes(copy)


def test_a_machine_under_a_new_instance_id_can_be_accepted(tmp_path: Path) -> None:
    """Where firmware and machine-id are the same, a person's word makes the new instance ID this machine's."""
    before = machine.read(boot(tmp_path, "i-1"))
    machine.remember(Layout(tmp_path))
    renamed = boot(tmp_path, "i-2")
    said = machine.changes(renamed)
    machine.accept(renamed)

    assert "its instance ID was i-1 and is i-2; its DMI UUID is the same; its machine-id is the same" == said
    assert ("", before) == (machine.changes(renamed), machine.read(renamed))


def test_another_machine_cannot_be_accepted(tmp_path: Path) -> None:
    """A copy with a firmware of its own stays a copy, whatever a person says."""
    machine.read(boot(tmp_path, "i-1"))
    machine.remember(Layout(tmp_path))

    with pytest.raises(SafetyError, match="its DMI UUID was"):
        machine.accept(boot(tmp_path, "i-2", DMI.replace("1", "2")))


@given(damage=st.binary(max_size=64))
def test_a_damaged_memory_is_no_memory(tmp_path_factory: pytest.TempPathFactory, damage: bytes) -> None:
    """Whatever stands in the file, the machine is what can be seen of it."""
    layout = boot(tmp_path_factory.mktemp("machine"), "i-1")
    layout.state.mkdir(parents=True)
    (layout.state / machine.MEMORY).write_bytes(damage)

    assert machine.observe(layout) == machine.read(layout)
