"""The software bill of materials, CycloneDX 1.6: every Debian package, and everything dpkg does not know.

An SBOM made from a package database alone misses what scripts put on the disk, which here
is the image's whole purpose: the daemon.  So every program and library that no package owns
is listed by its hash, a program with the Go modules or crates it was built from; and ``cross_check``
compares the document with the disk again, in both directions.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from goldnode.image.packages import Package, installed
from goldnode.image.tree import File, FileKind, Tree
from goldnode.publish import gobinary

SPEC = "1.6"
DAEMON = "/usr/lib/goldnode/bin/"
_OURS = "/usr/lib/goldnode/"
#: Packages' own scripts, which their file lists do not name.
_SCRIPTS = "/var/lib/dpkg/info/"
_EXECUTABLE = 0o111
_ELF = b"\x7fELF"
#: The distribution whose packages these are, in package URLs.
_DISTRO = "debian-13"


def compose(root: Tree, manifest: Mapping[str, Any], name: str, version: str) -> dict[str, Any]:
    """Compose the bill of materials of an image.

    Args:
        root: Its files.
        manifest: Its manifest: the daemon's name and version, and the tree digest to bind to.
        name: The release's name, such as `localnet-1.2.0-amd64`.
        version: The release's version.

    Returns:
        The document, the same for the same files.
    """
    components = [_package(package) for package in installed(root).values()]
    dependencies: list[dict[str, Any]] = []
    for file in unowned(root):
        program, modules = _program(root, file, manifest)
        components += [program, *modules]
        if modules:
            dependencies.append({"ref": program["bom-ref"], "dependsOn": [module["bom-ref"] for module in modules]})
    tree = manifest["image"]["tree_sha256"]
    unique = {component["bom-ref"]: component for component in components}
    return {
        "$schema": f"http://cyclonedx.org/schema/bom-{SPEC}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPEC,
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, f'{name} {tree}')}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "operating-system",
                "bom-ref": name,
                "name": f"goldnode-{manifest['network']}",
                "version": version,
                "properties": [{"name": "goldnode:tree_sha256", "value": tree}],
            }
        },
        "components": [unique[ref] for ref in sorted(unique)],
        "dependencies": sorted(dependencies, key=lambda each: str(each["ref"])),
    }


def unowned(root: Tree) -> Iterator[File]:
    """Programs and libraries that no Debian package owns, and all of goldnode's own files."""
    owned = set(_owned(root))
    for file in root:
        if file.kind is not FileKind.FILE or file.path in owned or file.path.startswith(_SCRIPTS):
            continue
        if file.path.startswith(_OURS) or file.mode & _EXECUTABLE or _is_elf(root, file):
            yield file


def cross_check(root: Tree, bill: Mapping[str, Any]) -> list[str]:
    """Compare the document with the disk, in both directions; returns every difference as a clause."""
    listed = {_file_of(each): each for each in bill["components"] if _file_of(each)}
    packages = {each["purl"] for each in bill["components"] if each.get("purl", "").startswith("pkg:deb/")}
    held = {_purl(package) for package in installed(root).values()}
    faults = [f"{purl} is on the disk, but not in the SBOM" for purl in sorted(held - packages)]
    faults += [f"{purl} is in the SBOM, but not on the disk" for purl in sorted(packages - held)]
    programs = {file.path: file for file in unowned(root)}
    faults += [f"{path} belongs to no package and is not in the SBOM" for path in sorted(programs.keys() - listed)]
    for path, component in sorted(listed.items()):
        file = root.get(path)
        if file is None or root.digest(file) != component["hashes"][0]["content"]:
            faults.append(f"{path} is not what the SBOM lists")
    return faults


def _package(package: Package) -> dict[str, Any]:
    purl = _purl(package)
    return {"type": "library", "bom-ref": purl, "name": package.name, "version": package.version, "purl": purl}


def _purl(package: Package) -> str:
    arch = f"arch={package.architecture}&distro={_DISTRO}"
    return f"pkg:deb/debian/{quote(package.name, safe='')}@{quote(package.version, safe='')}?{arch}"


def _program(root: Tree, file: File, manifest: Mapping[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The component for one file, and those for the Go modules or crates inside it."""
    component: dict[str, Any] = {
        "type": "file",
        "bom-ref": f"file:{file.path}",
        "name": file.path,
        "hashes": [{"alg": "SHA-256", "content": root.digest(file)}],
        "properties": [{"name": "goldnode:path", "value": file.path}],
    }
    for crate in manifest.get("programs", []):
        if file.path == f"{DAEMON}{crate['name']}":
            component |= {"type": "application", "name": crate["name"], "version": crate["version"]}
            component["purl"] = f"pkg:cargo/{crate['module']}"
            return component, [_crate(*line.split()) for line in crate["crates"]]
    if not _is_elf(root, file) or (build := gobinary.read(root.read(file.path))) is None:
        return component, []
    component["properties"].append({"name": "goldnode:go", "value": build.go})
    if file.path.startswith(DAEMON):
        daemon = manifest["daemon"]
        component |= {"type": "application", "name": daemon["name"], "version": daemon["version"]}
    modules = [*build.modules, *([build.main] if build.main else [])]
    return component, [_module(module) for module in modules]


def _module(module: gobinary.Module) -> dict[str, Any]:
    purl = f"pkg:golang/{quote(module.path, safe='/')}@{quote(module.version, safe='')}"
    component: dict[str, Any] = {
        "type": "library", "bom-ref": purl, "name": module.path, "version": module.version, "purl": purl,
    }  # fmt: skip
    if module.sum:
        component["properties"] = [{"name": "goldnode:go-sum", "value": module.sum}]
    return component


def _crate(name: str, version: str, sha256: str) -> dict[str, Any]:
    purl = f"pkg:cargo/{name}@{quote(version, safe='')}"
    digest = [{"alg": "SHA-256", "content": sha256}]
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl, "hashes": digest}


def _file_of(component: Mapping[str, Any]) -> str:
    """Path of the file that a component describes; empty for packages and modules."""
    properties = {each["name"]: each["value"] for each in component.get("properties", [])}
    return str(properties.get("goldnode:path", ""))


def _owned(root: Tree) -> Iterator[str]:
    """Every path in dpkg's lists, resolved to where it really is (/bin is a link to /usr/bin)."""
    folders: dict[str, str] = {}
    for index in root.match("/var/lib/dpkg/info/*.list"):
        for line in root.read(index.path).decode("utf-8", "replace").splitlines():
            folder, _, name = line.rpartition("/")
            if folder not in folders:
                real = root.follow(folder or "/")
                folders[folder] = real.path.rstrip("/") if real else folder
            yield f"{folders[folder]}/{name}"


def _is_elf(root: Tree, file: File) -> bool:
    return root.read(file.path).startswith(_ELF)
