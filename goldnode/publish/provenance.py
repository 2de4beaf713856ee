"""Where a release came from, as an in-toto statement with SLSA's provenance predicate.

It binds the release's files (subjects) to the commit and everything else that went in (resolved
dependencies).  The signature over SHA256SUMS covers it; in GitHub Actions the platform attests the
same files again, with a key that is not ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from goldnode.publish.binding import Bound

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:goldnode:bake:1"


def statement(manifest: Mapping[str, Any], version: str, files: Sequence[Bound], builder: str) -> dict[str, Any]:
    """Write the statement.

    Args:
        manifest: The image's manifest.
        version: The release's version.
        files: The release's files.
        builder: Who built it, as a URI: the workflow's, or the machine's name.
    """
    return {
        "_type": STATEMENT,
        "subject": [{"name": each.name, "digest": {"sha256": each.sha256}} for each in files],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {
                    "network": manifest["network"], "release": version, "arch": manifest["arch"], "strict": True,
                },
                "internalParameters": {"accelerator": manifest["accelerator"], "tools": manifest["tools"]},
                "resolvedDependencies": list(_dependencies(manifest)),
            },
            "runDetails": {"builder": {"id": builder}},
        },
    }  # fmt: skip


def _dependencies(manifest: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The commit, the base disk, the pins of the programs and the genesis: everything that has a digest."""
    yield {"uri": "git:HEAD", "digest": {"gitCommit": manifest["source"]["commit"]}}
    yield {"uri": f"debian:{manifest['base']['suite']}", "digest": {"sha256": manifest["base"]["disk_sha256"]}}
    daemon, genesis = manifest["daemon"], manifest["genesis"]
    if daemon.get("module"):
        yield {"name": "daemon", "uri": f"pkg:golang/{daemon['module']}", "digest": {"goModuleH1": daemon["sum"]}}
    elif daemon.get("url"):
        yield {"name": "daemon", "uri": daemon["url"], "digest": {"sha256": daemon["sum"]}}
    for program in manifest.get("programs", []):
        uri = f"pkg:cargo/{program['module']}"
        yield {"name": program["name"], "uri": uri, "digest": {"sha256": program["sum"]}}
    if genesis is not None:
        yield {"name": "genesis", "uri": genesis["url"], "digest": {"sha256": genesis["sha256"]}}
