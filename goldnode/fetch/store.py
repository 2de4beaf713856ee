"""Where everything from outside is kept, under its own hash.

The store holds only files that were verified.  It is used while an image is baked, and at boot
for what was deferred, so: standard library only.  How bytes travel is in ``goldnode/fetch/download.py``,
how a daemon comes out of an archive in ``goldnode/fetch/unpack.py``.
"""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from goldnode.errors import ArtifactError
from goldnode.fetch import download
from goldnode.fetch.artifact import Artifact
from goldnode.fetch.download import WrongBytesError
from goldnode.fetch.retry import RetryBudget
from goldnode.files import locked, replacing, sha256_file
from goldnode.progress import Progress


@dataclass(frozen=True, slots=True)
class ArtifactStore:
    """Verified files, each under its own SHA-256.

    Attributes:
        root: The folder; made when first needed.  Two processes may use it at once.
    """

    root: Path

    def path(self, sha256: str) -> Path:
        """Where the file with this hash is, or would be."""
        return self.root / "sha256" / sha256

    def get(self, artifact: Artifact) -> Path | None:
        """The file, if the store has it intact; a damaged one is deleted."""
        path = self.path(artifact.sha256)
        if not artifact.sha256 or not path.is_file():
            return None
        if sha256_file(path) != artifact.sha256:
            path.unlink()
            return None
        return path

    def adopt(self, artifact: Artifact, folder: Path) -> Path | None:
        """Take the file from a folder that the operator filled, where it is named by its hash or as in the URL.

        Returns:
            Its path in the store; None if the folder has no such file.

        Raises:
            WrongBytesError: The folder has a file of that name with another content.
        """
        for name in filter(None, (artifact.sha256, artifact.filename)):
            candidate = folder / name
            if not candidate.is_file():
                continue
            actual = sha256_file(candidate)
            if actual != artifact.sha256:
                raise WrongBytesError(
                    f"{candidate} is not {artifact.filename}: its sha256 is {actual}, pinned is {artifact.sha256}",
                    hint=f"replace it, or name it by its own hash: mv {candidate} {folder / actual}",
                )
            with replacing(self.path(actual)) as draft:
                shutil.copyfile(candidate, draft)
            return self.path(actual)
        return None

    def fetch(self, artifact: Artifact, budget: RetryBudget, progress: Progress) -> Path:
        """Get the file from the store, or else from its URL, verified before it gets its name.

        An interrupted download resumes where it stopped, even in a later process.

        Raises:
            ArtifactError: It has no pin; one of the subclasses in ``fetch.download`` says why it could not be obtained.
        """
        if not artifact.sha256:
            raise ArtifactError(f"{artifact.url} has no pinned sha256", hint="./invoke network lock NAME")
        partial = self.root / "partial" / artifact.sha256
        with locked(self.root / "locks" / artifact.sha256):
            present = self.get(artifact)
            if present:
                return present
            download.fetch(artifact.url, partial, size=artifact.size, budget=budget, progress=progress)
            actual = sha256_file(partial)
            if actual != artifact.sha256:
                partial.unlink()
                raise WrongBytesError(
                    f"{artifact.url} is not what its pin says: sha256 is {actual}, pinned is {artifact.sha256}",
                    hint="compare both with what the project publishes; never change a pin to make an error go away",
                )
            return self._keep(partial, actual)

    def discover(self, url: str, budget: RetryBudget, progress: Progress) -> Path:
        """Fetch something that nobody pinned, to learn its hash: trust on first use.

        Returns:
            Its path in the store; the name is the hash.
        """
        key = hashlib.sha256(url.encode()).hexdigest()
        partial = self.root / "partial" / f"unpinned-{key}"
        with locked(self.root / "locks" / key):
            partial.unlink(missing_ok=True)
            download.fetch(url, partial, size=None, budget=budget, progress=progress)
            return self._keep(partial, sha256_file(partial))

    def _keep(self, partial: Path, sha256: str) -> Path:
        final = self.path(sha256)
        final.parent.mkdir(parents=True, exist_ok=True)
        partial.chmod(0o644)
        return partial.replace(final)
