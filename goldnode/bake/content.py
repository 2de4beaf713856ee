"""The payload of an image: one tar that holds all our files at their final paths.

A tar, because QEMU can hand it to the guest as a bare drive that ``tar`` reads without a
filesystem, and a cloud machine takes the same file by upload.  The same inputs give the same
bytes: members sorted, owned by root, dated by one fixed instant, modes reduced to what git knows.
"""

from __future__ import annotations

import hashlib
import io
import json
import stat
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from goldnode import paths
from goldnode.bake import zipapp
from goldnode.bake.base import EPOCH, package_list
from goldnode.bake.programs.payload import LIB, Payload
from goldnode.config.daemon import DaemonKind
from goldnode.config.network import Network

#: How a program of ours starts on a node.  Until its main function has imported what it needs there is no garbage,
#: and looking for it takes a twentieth of the imports.
START = """import gc

gc.disable()
from goldnode.node import dataclass_code

dataclass_code.use()
from {module} import main

raise SystemExit(main())
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One member of the tar.

    Attributes:
        path: On the image, absolute.
        mode: Permissions; unused for a link.
        data: Content, or the file that holds it.
        link: Target, for a symbolic link.
    """

    path: str
    mode: int
    data: bytes | Path = b""
    link: str = ""


def entries(network: Network, payload: Payload, arch: str, debian: Mapping[str, str] | None = None) -> list[Entry]:
    """Everything that the image has beyond the base, sorted by path.

    Args:
        network: What it is baked for.
        payload: Daemon, genesis and programs.
        arch: Debian's name of the architecture.
        debian: Suite, date and, where known, snapshot of the Debian below; None where a cloud brings its own.
    """
    found = [*_roles(), *_network(network, payload, arch, debian)]
    found += [Entry(file.path_on_image, file.mode, file.source) for file in payload.files]
    found.append(Entry(f"{LIB}/node.pyz", 0o644, node_program()))
    found.append(Entry(f"{LIB}/precompile.py", 0o644, paths.REPOSITORY / "packer" / "scripts" / "precompile.py"))
    return sorted(found, key=lambda entry: entry.path)


def write(entries: Iterable[Entry], target: Path) -> str:
    """Write the tar.

    Returns:
        Its sha256, lower-case hex.
    """
    folders: set[str] = set()
    with tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as tar:
        for entry in entries:
            for parent in reversed(Path(entry.path).parents[:-1]):
                if str(parent) not in folders:
                    folders.add(str(parent))
                    tar.addfile(_member(str(parent), 0o755, tarfile.DIRTYPE))
            _add(tar, entry)
    with target.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def node_program() -> bytes:
    """The node's program as one zipapp; the rendezvous is in it, because a node can serve one."""
    return zipapp.pack(START.format(module="goldnode.node.__main__"), node_modules())


def node_modules() -> list[Path]:
    """The sources in the node's program."""
    return zipapp.reached_from(["goldnode.node", "goldnode.rendezvous"])


def _roles() -> Iterator[Entry]:
    roles = paths.REPOSITORY / "roles"
    for role in sorted(folder for folder in roles.iterdir() if folder.is_dir()):
        yield Entry(f"{LIB}/roles/{role.name}/role.yaml", 0o644, role / "role.yaml")
        rootfs = role / "rootfs"
        for file in sorted(rootfs.rglob("*")):
            path = f"/{file.relative_to(rootfs)}"
            if file.is_symlink():
                yield Entry(path, 0o777, link=str(file.readlink()))
            elif file.is_file():
                yield Entry(path, 0o755 if file.stat().st_mode & stat.S_IXUSR else 0o644, file)


def _network(network: Network, payload: Payload, arch: str, debian: Mapping[str, str] | None) -> Iterator[Entry]:
    image = {
        "version": 1,
        "network": network.name,
        "chain_id": network.chain_id,
        "daemon": {"name": network.daemon.name, "version": network.daemon.version},
        "arch": arch,
        "payload": payload.key,
        **({"debian": dict(debian)} if debian else {}),
    }
    yield Entry(f"{LIB}/image.json", 0o644, _json(image))
    yield Entry(f"{LIB}/network.json", 0o644, _json(dict(network.document)))
    packages = sorted({*package_list("node"), *network.packages})
    yield Entry(f"{LIB}/packages.txt", 0o644, "".join(f"{name}\n" for name in packages).encode())
    yield Entry("/etc/ld.so.conf.d/goldnode.conf", 0o644, f"{LIB}/lib\n".encode())
    if payload.deferred:
        yield Entry(f"{LIB}/deferred.json", 0o644, _json([item.document() for item in payload.deferred]))
    if network.daemon.kind is DaemonKind.JVM:
        yield Entry(f"{LIB}/start-check", 0o644, paths.REPOSITORY / "packer" / "scripts" / "start-nodes.sh")
    elif checks := "".join(_start_checks(network, payload)):
        yield Entry(f"{LIB}/start-check", 0o644, checks.encode())


def _start_checks(network: Network, payload: Payload) -> Iterator[str]:
    """Shell code that starts each program once and compares its answer with the pinned version."""
    daemon, words = network.daemon, " ".join(network.daemon.version_args)
    asked = [("", f"{LIB}/bin/{daemon.name}", daemon.version, words)]
    asked += [("", f"{LIB}/bin/{program.name}", program.version, "--version") for program in payload.programs]
    for following in payload.next_versions:
        place = f"{LIB}/daemons/{daemon.name}/{following.provenance.version}"
        version = following.provenance.version
        asked.append((f"env LD_LIBRARY_PATH={place}/lib ", f"{place}/bin/{daemon.name}", version, words))
    there = {file.path_on_image for file in payload.files}
    for prefix, path, version, words in asked:
        name = Path(path).name
        if path in there:
            yield f"""answer=$({prefix}timeout 120 {path} {words} 2>&1) || {{
  echo "goldnode-fault: {name} does not start: $answer"
  exit 1
}}
case "$answer" in
  *{version}*) ;;
  *) echo "goldnode-fault: {name} answers '$answer', not {version}"; exit 1 ;;
esac
"""


def _json(document: object) -> bytes:
    return (json.dumps(document, indent=2, sort_keys=True) + "\n").encode()


def _member(path: str, mode: int, kind: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo(path.lstrip("/"))
    member.type, member.mode, member.mtime, member.uname, member.gname = kind, mode, EPOCH, "root", "root"
    return member


def _add(tar: tarfile.TarFile, entry: Entry) -> None:
    if entry.link:
        member = _member(entry.path, entry.mode, tarfile.SYMTYPE)
        member.linkname = entry.link
        tar.addfile(member)
        return
    member = _member(entry.path, entry.mode, tarfile.REGTYPE)
    if isinstance(entry.data, bytes):
        member.size = len(entry.data)
        tar.addfile(member, io.BytesIO(entry.data))
        return
    member.size = entry.data.stat().st_size
    with entry.data.open("rb") as stream:
        tar.addfile(member, stream)
