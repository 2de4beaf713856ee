"""A Go module proxy in a folder: modules made on the spot, with their true sums."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class GoProxy:
    """Publishes modules below ``root``; ``env`` makes the go command use it and nothing else."""

    root: Path

    @property
    def env(self) -> dict[str, str]:
        """Settings of the caller's environment."""
        return {"GOPROXY": self.root.as_uri(), "GOSUMDB": "off", "GOMODCACHE": str(self.root.parent / "modules")}

    def publish(self, module: str, version: str, files: dict[str, bytes], commit: str = "", query: str = "") -> str:
        """Put a module there.

        Args:
            module: Its path.
            version: Its version.
            files: What is in it.
            commit: Where it came from; unsaid when empty.
            query: A name that the proxy answers with that version, as a commit.

        Returns:
            Its ``h1:`` sum, worked out as Go's dirhash does: a digest over the digests of all files.
        """
        escaped = re.sub("[A-Z]", lambda capital: f"!{capital[0].lower()}", module)  # as the proxy protocol has it
        folder = self.root / escaped / "@v"
        folder.mkdir(parents=True, exist_ok=True)
        stream = io.BytesIO()
        lines = []
        with zipfile.ZipFile(stream, "w") as bundle:
            for name, content in sorted(files.items()):
                path = f"{module}@{version}/{name}"
                bundle.writestr(path, content)
                lines.append(f"{hashlib.sha256(content).hexdigest()}  {path}\n")
        (folder / f"{version}.zip").write_bytes(stream.getvalue())
        (folder / f"{version}.mod").write_bytes(files["go.mod"])
        origin = {"Origin": {"VCS": "git", "URL": f"https://{module}", "Hash": commit}} if commit else {}
        for name in filter(None, (version, query)):
            (folder / f"{name}.info").write_text(json.dumps({"Version": version, **origin}))
        digest = hashlib.sha256("".join(sorted(lines, key=lambda line: line[66:])).encode()).digest()
        return f"h1:{base64.b64encode(digest).decode()}"
