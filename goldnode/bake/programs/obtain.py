"""Obtains what a network needs: from the store, a release, a build of its Go module, or later at first boot.

The order is fixed: what is there already, what was published with a hash, what can be built from a
pinned module, and only then what the node fetches itself.  Nothing without a pin is ever used, and
a daemon that can be started here has been started before it goes anywhere.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from goldnode.bake import confine
from goldnode.bake.programs import gomodule, jars, next_versions, signer, toolchain, vpncloud
from goldnode.bake.programs.build_cache import cached
from goldnode.bake.programs.compilers import native
from goldnode.bake.programs.defaults import default_configs
from goldnode.bake.programs.next_versions import Obtained
from goldnode.bake.programs.payload import LIB, Origin, Payload, PayloadFile, Provenance
from goldnode.config.choices import MeshKind
from goldnode.config.daemon import BuildSource, Daemon, DaemonKind
from goldnode.config.network import Network
from goldnode.errors import ArtifactError
from goldnode.fetch import version
from goldnode.fetch.artifact import Artifact, Deferred, Format
from goldnode.fetch.download import GoneError, UnreachableError
from goldnode.fetch.program import check_program
from goldnode.fetch.retry import RetryBudget
from goldnode.fetch.store import ArtifactStore
from goldnode.fetch.unpack import unpack
from goldnode.files import sha256_file, write_atomic
from goldnode.paths import cache
from goldnode.progress import Progress

PROGRAM = 0o755
PLAIN = 0o644


def obtain(network: Network, arch: str, *, artifacts_dir: Path | None, strict: bool, progress: Progress) -> Payload:
    """Collect everything that ``network`` adds to the base image.

    Args:
        network: What to bake.
        arch: amd64 or arm64.
        artifacts_dir: A folder the operator filled, searched first.
        strict: Refuse to defer anything.
        progress: Receives progress.

    Raises:
        ArtifactError: Something is unpinned, does not match its pin, does not start, is another
            version, or (strict) cannot be obtained.
        BakeError: The daemon does not compile.
    """
    refuse_unpinned(network, arch)
    job = _Job(network, arch, artifacts_dir, strict, progress)
    if network.daemon.kind is DaemonKind.JVM:
        job.files += jars.obtain(network, artifacts_dir, job.store, progress)
        provenance = Provenance(Origin.JARS, network.daemon.name, network.daemon.version)
    else:
        provenance = job.daemon()
    programs = tuple(job.programs())
    files, following, unpinned = next_versions.obtain(network, arch, job.next_daemon)
    job.files += files
    job.genesis()
    return Payload(tuple(job.files), tuple(job.deferred), provenance, _key(job, provenance), programs,
                   tuple(following), tuple(unpinned))  # fmt: skip


def refuse_unpinned(network: Network, arch: str) -> None:
    """Stop before anything is fetched if something needed has no hash.

    Raises:
        ArtifactError: Something has no hash; the message names all of it, and the command that pins it.
    """
    missing = network.unpinned(arch)
    if missing:
        named = ", ".join(f"{entry.path} ({entry.url})" for entry in missing)
        raise ArtifactError(
            f"no sha256 is published for {named}, so {network.name} cannot be baked yet",
            hint=f"./invoke network lock {network.name}",
        )


@dataclass(slots=True)
class _Job:
    """One call of ``obtain``: its arguments, and what it has so far."""

    network: Network
    arch: str
    artifacts_dir: Path | None
    strict: bool
    progress: Progress
    store: ArtifactStore = field(default_factory=lambda: ArtifactStore(cache() / "artifacts"))
    budget: RetryBudget = field(default_factory=RetryBudget)
    files: list[PayloadFile] = field(default_factory=list)
    deferred: list[Deferred] = field(default_factory=list)
    sums: dict[Path, str] = field(default_factory=dict)

    def sha256(self, path: Path) -> str:
        """A file's digest, computed once."""
        if path not in self.sums:
            self.sums[path] = sha256_file(path)
        return self.sums[path]

    def daemon(self) -> Provenance:
        """Add the daemon with its libraries and default configuration, or defer it."""
        daemon = self.network.daemon
        release = daemon.release.get(self.arch)
        if release is None or not release.sha256:
            if daemon.source is None or not daemon.source.sum:
                known = ", ".join(daemon.release)
                raise ArtifactError(f"{self.network.name} names no {daemon.name} for {self.arch}, only for {known}")
            return self._built(daemon.source)
        try:
            binary = self._have(release, daemon.name, PROGRAM)
        except (UnreachableError, GoneError) as unreachable:
            if daemon.source and daemon.source.sum:
                with contextlib.suppress(UnreachableError):
                    return self._built(daemon.source)
            self._defer(Deferred("daemon", release, f"{LIB}/bin/{daemon.name}", PROGRAM), unreachable)
            self._add_libraries(self._libraries(daemon))
            return Provenance(Origin.DEFERRED, daemon.name, daemon.version, url=release.url, sum=release.sha256)
        if not native(self.arch):  # if it can be started here, starting it tells more
            check_program(binary, self.arch, release.url)
        started = self._add_daemon(binary, self._libraries(daemon))
        return Provenance(Origin.RELEASE, daemon.name, daemon.version, url=release.url, sum=release.sha256,
                          sha256=self.sha256(binary), started=started)  # fmt: skip

    def next_daemon(self, daemon: Daemon) -> Obtained:
        """The daemon of a future upgrade, verified like the image's own; it is never deferred.

        Raises:
            ArtifactError: It cannot be obtained, does not match its pin, or is another version.
        """
        release = daemon.release.get(self.arch)
        if release and release.sha256:
            binary, shipped = self._have(release, daemon.name, PROGRAM), self._libraries(daemon)
            if not native(self.arch):
                check_program(binary, self.arch, release.url)
            origin = Provenance(Origin.RELEASE, daemon.name, daemon.version, url=release.url, sum=release.sha256)
        else:
            assert daemon.source is not None  # noqa: S101 - next_versions.pinned
            source, go = daemon.source, toolchain.go(self.progress)
            built = gomodule.build(daemon, source, self.arch, go=go, progress=self.progress)
            binary, shipped = built.binary, built.libraries
            origin = Provenance(Origin.SOURCE, daemon.name, daemon.version, module=source.label, sum=source.sum,
                                toolchain=source.toolchain)  # fmt: skip
        started = native(self.arch)
        if started:
            beside = shipped[0].parent if shipped else None
            version.check(binary, daemon.version, daemon.version_args, beside, prefix=confine.prefix(binary, beside))
        return Obtained(binary, shipped, replace(origin, sha256=self.sha256(binary), started=started))

    def programs(self) -> Iterator[Provenance]:
        """Add what goldnode and the network's meshes need and Debian lacks."""
        if self.network.daemon.kind is not DaemonKind.JVM:
            try:
                yield self._signer()
            except UnreachableError as unreachable:
                if self.strict:
                    raise
                with self.progress.step(
                    f"leave {signer.NAME} out: no validator of this image can have a lease"
                ) as step:
                    step.note(unreachable.message)
        if MeshKind.VPNCLOUD not in self.network.meshes:
            return
        pinned, built = vpncloud.pin(), vpncloud.build(self.arch, self.progress)
        self.files.append(PayloadFile(f"{LIB}/bin/{vpncloud.NAME}", built.binary, PROGRAM))
        started = native(self.arch)
        if started:
            version.check(built.binary, pinned.answer, ["--version"], prefix=confine.prefix(built.binary))
        yield Provenance(Origin.CRATE, vpncloud.NAME, pinned.version, module=f"{vpncloud.NAME}@{pinned.version}",
                         sum=pinned.sha256, toolchain=built.toolchain, sha256=self.sha256(built.binary),
                         started=started, crates=built.crates)  # fmt: skip

    def _signer(self) -> Provenance:
        binary = signer.build(self.arch, go=toolchain.go(self.progress), progress=self.progress)
        self.files.append(PayloadFile(f"{LIB}/bin/{signer.NAME}", binary, PROGRAM))
        started = native(self.arch)
        if started:
            version.check(binary, f"{signer.NAME} {signer.VERSION}", ["--version"])
        return Provenance(Origin.SOURCE, signer.NAME, signer.VERSION, module=signer.RECIPE.module,
                          toolchain=signer.RECIPE.toolchain, sha256=self.sha256(binary), started=started)  # fmt: skip

    def genesis(self) -> None:
        """Add the chain's one genesis, or defer it; a private network has none yet."""
        wanted = self.network.genesis
        if wanted is None:
            return
        path = f"{LIB}/genesis.json"
        try:
            self.files.append(PayloadFile(path, self._have(wanted, "genesis.json", PLAIN), PLAIN))
        except UnreachableError as unreachable:
            self._defer(Deferred("genesis", wanted, path, PLAIN), unreachable)

    def _libraries(self, daemon: Daemon) -> tuple[Path, ...]:
        """The libraries of a released daemon; they come from Go modules, which cannot be deferred.

        Raises:
            ArtifactError: A module cannot be obtained.
        """
        if not daemon.libraries:
            return ()
        return gomodule.libraries(daemon, self.arch, go=toolchain.go(self.progress), progress=self.progress)

    def _built(self, source: BuildSource) -> Provenance:
        daemon = self.network.daemon
        go = toolchain.go(self.progress)
        built = gomodule.build(daemon, source, self.arch, go=go, progress=self.progress)
        started = self._add_daemon(built.binary, built.libraries)
        return Provenance(Origin.SOURCE, daemon.name, daemon.version, module=source.label,
                          sum=source.sum, toolchain=source.toolchain, sha256=self.sha256(built.binary),
                          started=started)  # fmt: skip

    def _add_daemon(self, binary: Path, libraries: tuple[Path, ...]) -> bool:
        """Add a daemon; start it if this machine can, and return whether it did."""
        self.files.append(PayloadFile(f"{LIB}/bin/{binary.name}", binary, PROGRAM))
        self._add_libraries(libraries)
        if not native(self.arch):
            return False
        beside = libraries[0].parent if libraries else None
        daemon = self.network.daemon
        version.check(binary, daemon.version, daemon.version_args, beside, prefix=confine.prefix(binary, beside))
        self.files += self._defaults(binary, beside)
        return True

    def _add_libraries(self, libraries: tuple[Path, ...]) -> None:
        self.files += [PayloadFile(f"{LIB}/lib/{path.name}", path, PLAIN) for path in libraries]

    def _defaults(self, binary: Path, libraries: Path | None) -> list[PayloadFile]:
        """The daemon's default configuration, cached by the daemon's hash and what made it."""
        env = {"LD_LIBRARY_PATH": str(libraries)} if libraries else {}
        key = hashlib.sha256(f"1 {self.sha256(binary)} {self.network.chain_id}".encode()).hexdigest()
        folder = cache() / "defaults" / key

        def make(draft: Path) -> None:
            for name, content in default_configs(binary, self.network, env).items():
                write_atomic(draft / name, content)

        cached(folder, lambda home: any(home.glob("*.toml")), make)
        return [PayloadFile(f"{LIB}/defaults/{path.name}", path, PLAIN) for path in sorted(folder.glob("*.toml"))]

    def _have(self, artifact: Artifact, name: str, mode: int) -> Path:
        """The unpacked file, under a name of ours."""
        whole = self.artifacts_dir and self.store.adopt(artifact, self.artifacts_dir)
        archive = whole or self.store.fetch(artifact, self.budget, self.progress)
        if artifact.format is Format.RAW and mode == PLAIN:
            return archive
        inner = hashlib.sha256(artifact.member.encode()).hexdigest()[:16]
        unpacked = cache() / "artifacts" / "unpacked" / artifact.sha256 / inner / name
        record = unpacked.with_name(f"{name}.sha256")
        if not (unpacked.is_file() and record.is_file() and self.sha256(unpacked) == record.read_text()):
            with self.progress.step(f"unpack {artifact.filename}"):
                unpack(archive, artifact, unpacked, mode)
            self.sums.pop(unpacked, None)
            write_atomic(record, self.sha256(unpacked))
        return unpacked

    def _defer(self, deferred: Deferred, reason: ArtifactError) -> None:
        if self.strict or isinstance(reason, GoneError):
            raise ArtifactError(
                f"{deferred.name} of {self.network.name} cannot be obtained: {reason.message}",
                hint=f"put it as {deferred.artifact.sha256} into a folder, and add --artifacts FOLDER",
            ) from reason
        self.deferred.append(deferred)


def _key(job: _Job, provenance: Provenance) -> str:
    """Digest of everything that goes into the image, by content."""
    inputs = {
        "files": sorted((entry.path_on_image, job.sha256(entry.source), entry.mode) for entry in job.files),
        "deferred": [entry.document() for entry in job.deferred],
        "daemon": provenance.document(),
        "network": dict(job.network.document),
    }
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()
