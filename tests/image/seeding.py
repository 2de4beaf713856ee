"""Change a finished disk from outside, as a careless bake would have: no mount, no root."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from goldnode.image.disk import ROOTS, PartitionType, open_disk
from goldnode.image.ext4 import Ext4
from goldnode.run import run

#: Kinds of inode in debugfs's `mode` field.
REGULAR = 0o100000


class Bed:
    """A raw disk that may be spoiled.

    Args:
        disk: The raw file; it is changed in place.
    """

    def __init__(self, disk: Path) -> None:
        with open_disk(disk) as opened:
            root, esp = opened.partition(*ROOTS), opened.partition(PartitionType.ESP)
            assert root is not None
            assert esp is not None
            self.block_size = Ext4(opened.data, root.start).block_size
        self.disk, self.root, self.esp = disk, root.start, esp.start
        self._free_blocks_used = 0
        self._device = f"{disk}?offset={root.start}"

    def debugfs(self, *commands: str) -> str:
        """Run debugfs commands that may write."""
        with tempfile.NamedTemporaryFile("w") as script:
            script.write("\n".join(commands) + "\n")
            script.flush()
            return run(["debugfs", "-w", "-f", script.name, self._device]).stdout

    def read(self, path: str) -> str:
        """Content of a text file on the disk."""
        return run(["debugfs", "-R", f"cat {path}", self._device]).stdout

    def write(self, path: str, content: str | bytes = "planted\n", mode: int = 0o644) -> None:
        """Make or replace a file of root's, and the folders above it."""
        folder, _, name = path.rpartition("/")
        parts = folder.split("/")[1:]
        folders = [f"mkdir /{'/'.join(parts[: depth + 1])}" for depth in range(len(parts))]
        with tempfile.NamedTemporaryFile() as source:
            source.write(content.encode() if isinstance(content, str) else content)
            source.flush()
            self.debugfs(
                *folders, f"rm {path}", f"cd {folder or '/'}", f"write {source.name} {name}",
                f"sif {name} mode 0{REGULAR | mode:o}", f"sif {name} uid 0", f"sif {name} gid 0",
            )  # fmt: skip

    def append(self, path: str, line: str) -> None:
        """Add a line to a text file."""
        self.write(path, f"{self.read(path)}{line}\n")

    def edit(self, path: str, pattern: str, replacement: str) -> None:
        """Replace what fits a pattern; it must be there."""
        text, count = re.subn(pattern, replacement, self.read(path), flags=re.MULTILINE)
        assert count, f"{path} has nothing like {pattern}"
        self.write(path, text)

    def link(self, path: str, target: str) -> None:
        """Make a symbolic link, and the folders above it."""
        folder, _, name = path.rpartition("/")
        parts = folder.split("/")[1:]
        folders = [f"mkdir /{'/'.join(parts[: depth + 1])}" for depth in range(len(parts))]
        self.debugfs(*folders, f"rm {path}", f"cd {folder}", f"symlink {name} {target}")

    def remove(self, path: str) -> None:
        """Remove a file."""
        self.debugfs(f"rm {path}")

    def write_raw(self, content: bytes, offset: int) -> None:
        """Overwrite bytes of the disk."""
        with self.disk.open("r+b") as stream:
            stream.seek(offset)
            stream.write(content)

    def write_free_block(self, content: bytes) -> None:
        """Write where no file is, as a deleted file leaves it; each time into another block."""
        self._free_blocks_used += 1
        found = run(["debugfs", "-R", f"ffb {self._free_blocks_used} 20000", self._device]).stdout
        block = int(found.split()[-1])
        self.write_raw(content, self.root + block * self.block_size + 100)

    def write_esp(self, path: str, content: bytes) -> None:
        """Make a file on the EFI system partition, one folder deep."""
        with tempfile.NamedTemporaryFile() as source:
            source.write(content)
            source.flush()
            image = f"{self.disk}@@{self.esp}"
            run(["mmd", "-D", "s", "-i", image, f"::{path.rpartition('/')[0]}"], check=False)
            run(["mcopy", "-o", "-i", image, source.name, f"::{path}"])
