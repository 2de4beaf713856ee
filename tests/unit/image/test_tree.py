"""The questions that rules ask of a tree."""

import pytest

from goldnode.image.packages import Package, installed, packages
from goldnode.image.tree import File, FileKind, Tree, fits

CONTENT = {
    "/usr/lib/os-release": b"# a comment\n\n  NAME=Debian\n",
    "/var/lib/dpkg/status": b"Package: gone\nStatus: deinstall ok config-files\n\n"
    b"Package: bash\nStatus: install ok installed\nArchitecture: amd64\nVersion: 5.2\nDescription: shell\n a: b\n",
}
TREE = Tree(
    [
        File("/", FileKind.FOLDER),
        *(File(path, FileKind.FOLDER) for path in ("/usr", "/usr/lib", "/var", "/var/lib", "/var/lib/dpkg")),
        *(File(path, FileKind.FILE, size=len(data)) for path, data in CONTENT.items()),
        File("/lib", FileKind.LINK, target="usr/lib"),
        File("/etc", FileKind.FOLDER),
        File("/etc/os-release", FileKind.LINK, target="../usr/lib/os-release"),
        File("/etc/absolute", FileKind.LINK, target="/lib/./os-release"),
        File("/etc/loop", FileKind.LINK, target="loop"),
        File("/etc/gone", FileKind.LINK, target="nowhere"),
    ],
    lambda file: [CONTENT[file.path]],
)


@pytest.mark.parametrize(
    ("path", "pattern", "expected"),
    [
        ("/var/log/a", "/var/log/*", True),
        ("/var/log/a/b", "/var/log/*", False),
        ("/var/log/a/b", "/var/log/**", True),
        ("/var/log", "/var/log/**", False),
        ("/etc/a.conf~", "/etc/**~", True),
        ("/etc/aXconf", "/etc/a.conf", False),
        ("/root/.cache", "/root/*", True),
        ("/a\nb", "/*", True),
    ],
)
def test_patterns_know_folders(path: str, pattern: str, expected: bool) -> None:
    """One star stays in its folder, two cross folders, everything else stands for itself."""
    assert expected is fits(path, pattern)


@pytest.mark.parametrize("path", ["/usr/lib/os-release", "/lib/os-release", "/etc/os-release", "/etc/absolute"])
def test_links_are_followed_inside_the_tree(path: str) -> None:
    """Relative, absolute and leading-folder links lead to the file they name."""
    assert ["NAME=Debian"] == TREE.lines(path)


@pytest.mark.parametrize("path", ["/etc/loop", "/etc/gone", "/etc/missing", "/usr"])
def test_what_leads_nowhere_reads_as_nothing(path: str) -> None:
    """Loops, dangling links, missing files and folders have no content."""
    assert b"" == TREE.read(path)


def test_the_root_leads_to_itself() -> None:
    """`/` and `..` above it are the root."""
    assert TREE.get("/") == TREE.follow("/") == TREE.follow("/usr/../..")


def test_folders_are_left_out_on_demand() -> None:
    """`regular` lists files and links only."""
    assert ["/lib"] == [file.path for file in TREE.regular("/*")]


def test_packages_are_read_with_their_state() -> None:
    """A removed package is told from an installed one; lines of a description are no fields."""
    assert [Package("gone", "", "", "config-files"), Package("bash", "5.2", "amd64", "installed")] == list(
        packages(TREE)
    )
    assert ["bash"] == list(installed(TREE))
