"""Maven's coordinates of a jar, beside the hash by which we take it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Jar:
    """One line of a list: a Maven coordinate and the hash of its jar."""

    sha256: str
    group: str
    artifact: str
    version: str
    classifier: str = ""

    @property
    def filename(self) -> str:
        """As Maven names it."""
        tail = f"-{self.classifier}" if self.classifier else ""
        return f"{self.artifact}-{self.version}{tail}.jar"
