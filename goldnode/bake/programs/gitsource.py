"""A daemon's sources from git: one commit with its submodules, and a sum over all files.

Some repositories are no module that a Go module proxy serves: another path in go.mod, a folder that
``replace`` points into, submodules.  A commit's hash already names its content, but by SHA-1, and says
nothing of submodules that were moved; so the files are summed as Go sums a module, by SHA-256.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from pathlib import Path

from goldnode.errors import ArtifactError, HostError
from goldnode.fetch.download import UnreachableError, WrongBytesError
from goldnode.files import sha256_file
from goldnode.run import CommandError, run

#: Seconds one git command may take.
TIMEOUT = 600.0
#: Seconds that listing tags may take; many repositories are queried at once.
LIST_TIMEOUT = 60.0
#: How this host reaches repositories is the operator's choice: handed on unchanged.
GIT_SETTINGS = ("GIT_ALLOW_PROTOCOL", "GIT_CONFIG_GLOBAL", "GIT_SSH_COMMAND", "SSH_AUTH_SOCK", "XDG_CONFIG_HOME")
#: Never prompt for a password, and let no configuration in the repository run a program.
GIT = ("git", "-c", "core.hooksPath=/dev/null", "-c", "protocol.ext.allow=never", "-c", "advice.detachedHead=false")


def tag_commit(url: str, tag: str) -> str:
    """The commit that a tag names today.

    Raises:
        UnreachableError: The repository does not answer.
        ArtifactError: It has no such tag.
    """
    names = (f"refs/tags/{tag}", f"refs/tags/{tag}^{{}}")
    listed = _git("ls-remote", "--", url, *names, url=url)
    found = {name: commit for commit, _, name in (line.partition("\t") for line in listed.splitlines())}
    # An annotated tag is an object in its own right; its commit is listed under the name with ^{}.
    commit = found.get(names[1]) or found.get(names[0])
    if not commit:
        raise ArtifactError(f"{url} has no tag {tag}", hint=f"git ls-remote --tags {url}")
    return commit


def tags(url: str) -> list[str]:
    """Every tag of a repository.

    Raises:
        UnreachableError: The repository does not answer.
    """
    listed = _git("ls-remote", "--tags", "--refs", "--", url, url=url, timeout=LIST_TIMEOUT)
    return [line.partition("\trefs/tags/")[2] for line in listed.splitlines() if "\trefs/tags/" in line]


def checkout(url: str, commit: str, tag: str, folder: Path) -> None:
    """Put the files of a commit, and of its submodules, into an empty folder.

    Raises:
        UnreachableError: The repository does not answer.
        ArtifactError: It has no such commit, or its tag was moved to another one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _git("init", "--quiet", url=url, cwd=folder)
    wanted = [commit, *([f"refs/tags/{tag}"] if tag else [])]
    for name in wanted:  # some servers refuse a commit by its hash, but every server gives a tag
        fetched = run([*GIT, "fetch", "--quiet", "--depth=1", "--", url, name], cwd=folder, env=_env(url), check=False,
                      timeout=TIMEOUT)  # fmt: skip
        if fetched.returncode == 0:
            break
    else:
        raise UnreachableError(
            f"{url} does not give commit {commit}: {_reason(fetched.stderr)}", hint=f"git ls-remote {url}"
        )
    found = _git("rev-parse", "FETCH_HEAD^{commit}", url=url, cwd=folder).strip()
    if found != commit:
        raise WrongBytesError(
            f"tag {tag} of {url} was moved: it names commit {found}, pinned is {commit}",
            hint="ask the project why; a release that changes after it was published is a warning sign",
        )
    _git("checkout", "--quiet", commit, url=url, cwd=folder)
    if (folder / ".gitmodules").exists():
        _git("submodule", "--quiet", "update", "--init", "--recursive", "--depth=1", url=url, cwd=folder)


def tree_sum(folder: Path) -> str:
    """The ``h1:`` sum of a checkout, as Go's dirhash makes it: over the names and SHA-256 of all files.

    A symbolic link counts as its target's name; git's own files are not included.
    """
    lines = []
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name != ".git" and not (Path(place) / name).is_symlink()]
        for path in Path(place).iterdir():
            inside = path.relative_to(folder).as_posix()
            if path.is_symlink():
                digest = hashlib.sha256(b"link " + os.fsencode(path.readlink())).hexdigest()
            elif path.name in files and path.name != ".git":
                digest = sha256_file(path)
            else:
                continue
            lines.append((inside, f"{digest}  {inside}\n"))
    total = hashlib.sha256("".join(line for _, line in sorted(lines)).encode("utf-8", "surrogateescape")).digest()
    return f"h1:{base64.b64encode(total).decode()}"


def _git(*words: str, url: str, cwd: Path | None = None, timeout: float = TIMEOUT) -> str:
    try:
        return run([*GIT, *words], cwd=cwd or Path("/"), env=_env(url), timeout=timeout).stdout
    except HostError as error:
        raise HostError("git is required, but not installed", hint="apt-get install git") from error
    except CommandError as error:
        raise UnreachableError(
            f"{url} cannot be read: {_reason(error.message)}", hint=f"git ls-remote {url}"
        ) from error


def _env(url: str) -> dict[str, str]:
    # A repository from elsewhere must not have submodules on this machine's disk.
    protocols = "https:ssh:file" if url.startswith("file:") else "https:ssh"
    settings = {name: os.environ[name] for name in GIT_SETTINGS if name in os.environ}
    return {"GIT_ALLOW_PROTOCOL": protocols} | settings | {"GIT_TERMINAL_PROMPT": "0", "GIT_LFS_SKIP_SMUDGE": "1"}


def _reason(text: str) -> str:
    lines = [line for line in text.splitlines() if re.match(r"\s*(fatal|error|remote):", line)]
    return (lines or text.splitlines() or ["no answer"])[-1].strip()[:200]
