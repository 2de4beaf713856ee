"""The applier: brings a machine to what a plan says, and touches nothing that is already right.

Applying a plan a second time writes nothing and restarts nothing.  The order matters: users before
their files, the firewall before anything listens, the mesh before the daemons.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from goldnode.discovery.plain_file import read_plain
from goldnode.errors import HostError, SafetyError
from goldnode.files import write_atomic
from goldnode.node.plan.plan import FilePlan, FolderPlan, LinkPlan, Plan
from goldnode.node.system.system import System


@dataclass(frozen=True, slots=True)
class Changes:
    """What applying a plan changed: files written, and folders made."""

    files: tuple[Path, ...] = ()
    folders: tuple[Path, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.files or self.folders)


def apply(plan: Plan, system: System) -> Changes:
    """Bring the machine to the plan.

    Args:
        plan: The plan.
        system: The running machine, or a dry run.

    Returns:
        What was changed.
    """
    early = [file for file in plan.files if "sysusers.d" in file.path.parts]
    written = [file.path for file in early if _write(file, system)]
    if written:
        system.make_users()
    folders = tuple(folder.path for folder in plan.folders if _make(folder, system))
    written += [file.path for file in plan.files if file not in early and _write(file, system)]
    written += [link.path for link in plan.links if _link(link)]
    for ownership in plan.ownerships:
        if os.path.lexists(ownership.path):
            system.own(ownership.path, ownership.user, ownership.group)
    # Always loaded: it is one transaction, without effect if nothing has changed, and somebody may
    # have flushed the rules since.
    if plan.ruleset:
        system.load_firewall(plan.ruleset)
    for mesh in plan.meshes:
        changed = _write(FilePlan(mesh.path, mesh.config, 0o600), system)
        system.raise_mesh(mesh, changed=changed)
        written += [mesh.path] if changed else []
    for path in written:
        if "sysctl.d" in path.parts:
            # systemd read its settings before this boot's configuration was written.
            system.load_sysctls(path)
    if any("system" in path.parts and "systemd" in path.parts for path in written):
        system.reload_units()
    for name, unit in system.units(*plan.units).items():
        if not unit.active:
            system.start(name)
        elif (folder := plan.reads.get(name)) and any(folder in path.parents for path in written):
            system.restart(name)
    return Changes(tuple(written), folders)


def _write(file: FilePlan, system: System) -> bool:
    """Write one file if it differs; returns whether it did."""
    try:
        same = read_plain(file.path) == file.text.encode()
        mode = stat.S_IMODE(file.path.lstat().st_mode)
    except (FileNotFoundError, HostError):
        # Anything other than a plain file is replaced by one: a rename replaces a link or a FIFO without following it.
        same, mode = False, -1
    if not same:
        write_atomic(file.path, file.text, file.mode)
    elif mode != file.mode:
        file.path.chmod(file.mode)
    owned = system.own(file.path, "root", file.group)
    return not same or mode != file.mode or owned


def _link(link: LinkPlan) -> bool:
    if link.path.is_symlink() and link.path.readlink() == link.target:
        return False
    draft = link.path.with_name(f".{link.path.name}.link")
    draft.unlink(missing_ok=True)
    draft.symlink_to(link.target)
    draft.replace(link.path)
    return True


def _make(folder: FolderPlan, system: System) -> bool:
    changed = not os.path.lexists(folder.path)
    if changed:
        folder.path.mkdir(parents=True, mode=folder.mode)
    # Its owner, a daemon, may put a link there at any moment: only what was opened is changed.
    try:
        handle = os.open(folder.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise SafetyError(
            f"{folder.path} is not a directory: {error.strerror}", hint=f"mv {folder.path} {folder.path}.damaged"
        ) from error
    try:
        if stat.S_IMODE(os.fstat(handle).st_mode) != folder.mode:
            os.fchmod(handle, folder.mode)
            changed = True
        if system.own_folder(handle, folder.user, folder.group, tree=folder.tree):
            changed = True
    finally:
        os.close(handle)
    return changed
