"""Git repositories made on the spot, with a daemon in them that tells its version."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

DAEMON = """\
package main

import "fmt"

var version = "unstamped"

func main() { fmt.Println(version) }
"""
MAKEFILE = "build:\n\tgo build -ldflags '-X main.version=$(VERSION)' ./cmd/exampled\n"


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository in a folder."""

    folder: Path

    @property
    def url(self) -> str:
        """Its address."""
        return self.folder.as_uri()

    def commit(self, files: Mapping[str, str], tag: str = "", *, force: bool = False) -> str:
        """Write files, commit them, and tag the commit.

        Returns:
            The commit.
        """
        if not (self.folder / ".git").exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            self.git("init", "--quiet", "--initial-branch=main")
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message=change")
        if tag:
            self.git("tag", "--annotate", "--message=release", *(["--force"] if force else []), tag)
        return self.git("rev-parse", "HEAD")

    def git(self, *words: str) -> str:
        """Run git in it, with nobody's configuration."""
        who = {
            f"GIT_{person}_{what}": "test@example.org"
            for person in ("AUTHOR", "COMMITTER")
            for what in ("NAME", "EMAIL")
        }
        env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1", **who}
        done = subprocess.run(
            ["git", "-c", "protocol.file.allow=always", *words],
            cwd=self.folder, env=env, check=True, capture_output=True, text=True,
        )  # fmt: skip
        return done.stdout.strip()


def go_version(go: Path) -> str:
    """What this Go command is, without asking anybody for another one: ``1.26.8``."""
    env = {**os.environ, "GOTOOLCHAIN": "local"}
    done = subprocess.run([go, "env", "GOVERSION"], env=env, check=True, capture_output=True, text=True)
    return done.stdout.strip().removeprefix("go").split("-")[0].split(" ")[0]


def daemon_files(module: str, go: str) -> dict[str, str]:
    """The files of a repository whose daemon tells a version that the Makefile stamps."""
    return {"go.mod": f"module {module}\n\ngo {go}\n", "cmd/exampled/main.go": DAEMON, "Makefile": MAKEFILE}
