"""`image check`: runs every rule against one image.

``open_image`` is the one way in for everybody who looks at a finished image; ``check_image``
adds the scan of the raw bytes and runs the rules.
"""

from __future__ import annotations

import contextlib
import dataclasses
import struct
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goldnode.errors import ImageError
from goldnode.image import rules, secrets
from goldnode.image.disk import ROOTS, PartitionType, open_disk
from goldnode.image.ext4 import Ext4
from goldnode.image.rule import RULES, Finding, Image, Rule
from goldnode.image.tree import Tree, from_ext4, from_fat
from goldnode.progress import SILENT, Progress


@dataclass(frozen=True, slots=True)
class RuleResult:
    """What one rule found; empty ``findings`` mean that the image passes."""

    rule: Rule
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class HygieneReport:
    """Every rule's result for one image."""

    image: str
    results: tuple[RuleResult, ...]

    @property
    def broken(self) -> tuple[RuleResult, ...]:
        """Rules that found something."""
        return tuple(result for result in self.results if result.findings)

    def document(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "version": 1,
            "image": self.image,
            "clean": not self.broken,
            "rules": [
                {
                    "id": result.rule.id,
                    "promise": result.rule.promise,
                    "why": result.rule.why,
                    "fix": result.rule.fix,
                    "findings": [dataclasses.asdict(finding) for finding in result.findings],
                }
                for result in self.results
            ],
        }

    def raise_if_broken(self) -> None:
        """Fail if any rule is broken.

        Raises:
            ImageError: The message names the broken rules.
        """
        if self.broken:
            names = ", ".join(result.rule.id for result in self.broken)
            raise ImageError(f"{self.image} breaks {len(self.broken)} of {len(self.results)} rules: {names}")


@contextlib.contextmanager
def open_image(path: Path, progress: Progress = SILENT) -> Iterator[Image]:
    """Open a qcow2, raw or raw.zst image for reading.

    Raises:
        ImageError: It is not a disk with an ext4 root.
    """
    with contextlib.ExitStack() as stack:
        with progress.step("open the image"):
            disk = stack.enter_context(open_disk(path))
            part = disk.partition(*ROOTS)
            if part is None:
                raise ImageError(f"{path} has no Linux root partition", hint=f"sfdisk --dump {disk.path}")
            try:
                filesystem = Ext4(disk.data, part.start)
                root = from_ext4(filesystem)
            except (struct.error, ArithmeticError) as error:
                raise ImageError(f"the root filesystem of {path} is damaged: {error}") from error
            esp = Tree([], lambda _: [])
            if boot := disk.partition(PartitionType.ESP):
                scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="goldnode-esp.")))
                esp = from_fat(disk.path, boot.start, scratch)
        yield Image(disk, filesystem, root, esp, hits=())


def check_image(
    path: Path,
    builder_keys: Sequence[str] = (),
    progress: Progress = SILENT,
    ranges: Iterable[tuple[int, int]] | None = None,
) -> HygieneReport:
    """Run every rule.

    Args:
        path: The image.
        builder_keys: Public keys that opened the machine during the bake; they must have left no trace.
        progress: Told what goes on.
        ranges: Search only these bytes for secrets, when the rest has been searched before; None for all.

    Raises:
        ImageError: The image cannot be read.
    """
    if len(RULES) < len(rules.__all__):
        raise RuntimeError("the hygiene rules were not loaded: an unchecked image must not pass")
    with open_image(path, progress) as image:
        hits = secrets.scan(image.disk, builder_keys, progress, ranges)
        scanned = dataclasses.replace(image, hits=secrets.located(hits, image.filesystem, image.root))
        with progress.step("ask the rules") as step:
            results = []
            for done, rule in enumerate(RULES):
                results.append(RuleResult(rule, tuple(rule.check(scanned))))
                step.update(done + 1, len(RULES))
    return HygieneReport(path.name, tuple(results))
