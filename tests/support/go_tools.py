"""Other people's tools that come as Go modules: pinned by their sums, built once, kept in the cache.

What judges our work must not depend on what happens to be installed.  The build is the one that
makes daemons (``goldnode/bake/programs/gomodule.py``).
"""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path

from goldnode.bake.programs import gomodule, toolchain
from goldnode.config.daemon import BuildSource, Daemon
from goldnode.progress import SILENT

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True)
class GoTool:
    """A program to be built from a module.

    Attributes:
        name: What it is called.
        module: Its module.
        version: The module's version.
        sum: The module's ``h1:`` sum.
        package: What to build inside the module.
        toolchain: Exact Go toolchain.
        cgo: Whether C is compiled as well.
    """

    name: str
    module: str
    version: str
    sum: str
    package: str = "."
    toolchain: str = "go1.25.5"
    cgo: bool = False

    def path(self) -> Path:
        """The program, from the cache or built now."""
        source = BuildSource(self.module, self.version, self.sum, self.package, self.toolchain, cgo=self.cgo)
        daemon = Daemon.from_document({"name": self.name, "version": self.version, "home": "."})
        arch = _ARCHITECTURES[platform.machine()]
        return gomodule.build(daemon, source, arch, go=toolchain.go(SILENT), progress=SILENT).binary


#: 10 s to build.
ACTIONLINT = GoTool(
    "actionlint", "github.com/rhysd/actionlint", "v1.7.12", "h1:vQ4GeJN86C0QH+gTUQcs8McmK62OLT3kmakPMtEWYnY=",
    "./cmd/actionlint",
)  # fmt: skip
#: Terraform's own layout rules as a small program; 10 s to build.
HCLFMT = GoTool(
    "hclfmt", "github.com/hashicorp/hcl/v2", "v2.24.0", "h1:2QJdZ454DSsYGoaE6QheQZjtKZSUs9Nh2izTWiwQxvE=",
    "./cmd/hclfmt",
)  # fmt: skip
#: Minutes to build: for the long tier only.  The last version whose module is whole: later ones
#: replace parts of themselves by folders that the module's zip does not carry.
TERRAFORM = GoTool(
    "terraform", "github.com/hashicorp/terraform", "v1.5.7", "h1:HL+iEBdp6mC/tqQM1F5jA5y32CbxXPwyiNQyYSXVzw0=",
)  # fmt: skip
#: Strangelove's threshold signer; its elliptic curve is in C.  Minutes to build: for the long tier only.
HORCRUX = GoTool(
    "horcrux", "github.com/strangelove-ventures/horcrux/v3", "v3.3.2",
    "h1:2uPB4SpnuAyxyJ0BLK8QQJ7haeiIeVaRpVl2C1rvGgk=", "./cmd/horcrux", cgo=True,
)  # fmt: skip
#: Versity's S3 server over a folder.  Minutes to build: for the long tier only.
VERSITYGW = GoTool(
    "versitygw", "github.com/versity/versitygw", "v1.8.0", "h1:au+wI+aybno/STsQiSm35Uu6Q6iK5MWReQxgO6SEMFc=",
    "./cmd/versitygw",
)  # fmt: skip
