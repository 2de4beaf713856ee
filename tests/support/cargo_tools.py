"""Other people's tools that come as crates: pinned by the sha256 of the crate, built once, kept in the cache.

The crate's own Cargo.lock pins all that it is made of.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from goldnode.bake.programs.build_cache import cached, is_whole, record, remove
from goldnode.bake.programs.vpncloud import settings
from goldnode.files import sha256_file
from goldnode.paths import cache
from goldnode.run import run

#: Seconds for a build on two slow cores.
TIMEOUT = 1800.0


@dataclass(frozen=True, slots=True)
class CargoTool:
    """A program to be built from a crate.

    Attributes:
        name: Of the crate and of its program.
        version: The crate's version.
        sha256: Of the .crate file.
        features: Which of its features.
    """

    name: str
    version: str
    sha256: str
    features: str = ""

    def path(self) -> Path:
        """The program, from the cache or built now."""
        compiler = run(["rustc", "--version"]).stdout.strip()
        inputs = json.dumps([compiler, asdict(self)])
        home = cache() / "builds" / hashlib.sha256(inputs.encode()).hexdigest()
        cached(home, is_whole, self._make)
        return home / self.name

    def _make(self, draft: Path) -> None:
        source = draft / "source"
        source.mkdir()
        run(["tar", "-xzf", self._crate(), "--strip-components=1", "-C", source])
        argv = ["cargo", "build", "--release", "--locked", "--features", self.features, "--bin", self.name]
        env = {**settings(os.environ), "CARGO_TARGET_DIR": str(source / "target")}
        run(argv, cwd=source, env=env, timeout=TIMEOUT)
        (source / "target" / "release" / self.name).rename(draft / self.name)
        remove(source)
        record(draft, [draft / self.name])

    def _crate(self) -> Path:
        """The .crate file, which `cargo info` puts into cargo's cache."""
        run(["cargo", "info", f"{self.name}@{self.version}"], env=settings(os.environ), timeout=TIMEOUT)
        registry = Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo") / "registry" / "cache"
        (found,) = registry.glob(f"*/{self.name}-{self.version}.crate")
        assert self.sha256 == sha256_file(found), f"{found} is not what its pin says"
        return found


#: Iqlusion's remote signer, with a key in a file; five minutes to build: for the long tier only.
TMKMS = CargoTool("tmkms", "0.15.0", "8ab278991011c94d31c2e096e13cc4fc2838699425be0b591e1bf75e99e0fc4c", "softsign")
