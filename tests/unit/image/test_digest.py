"""The file-tree digest counts what a machine would see, and nothing else."""

import hashlib
from collections.abc import Iterable
from dataclasses import replace

import pytest

from goldnode.image.digest import canonical, quote, tree_digest
from goldnode.image.tree import File, FileKind, Tree

CONTENT = b"hello\n"
FILE = File("/etc/motd", FileKind.FILE, 0o644, 0, 4, len(CONTENT), number=17)
LINK = File("/bin", FileKind.LINK, 0o777, target="usr/bin")
DEVICE = File("/dev/null", FileKind.CHARACTER, 0o666, device="1:3")
TOOL = File("/ping", FileKind.FILE, 0o755, size=len(CONTENT), xattrs={"security.capability": b"\x01\x02"})


def tree(*files: File, content: bytes = CONTENT) -> Tree:
    """A tree in which every file has the same content."""
    return Tree(files, lambda _: [content])


def test_the_canonical_text_is_the_documented_one() -> None:
    """Somebody else can recompute the digest: the text's form is frozen."""
    sum_ = hashlib.sha256(CONTENT).hexdigest()
    esp = tree(File("/EFI", FileKind.FOLDER))
    expected = (
        "goldnode file tree 1\n"
        "/bin link 0777 0:0 usr/bin\n"
        "/dev/null char 0666 0:0 1:3\n"
        f"/etc/motd file 0644 0:4 6 sha256:{sum_}\n"
        f"/ping file 0755 0:0 6 sha256:{sum_} security.capability=0102\n"
        "esp:/EFI dir 0000 0:0 -\n"
    )

    assert expected == canonical(tree(TOOL, DEVICE, FILE, LINK), esp)


def test_the_digest_is_the_hash_of_the_text() -> None:
    """sha256sum of the text gives the digest."""
    assert hashlib.sha256(canonical(tree(FILE), None).encode()).hexdigest() == tree_digest(tree(FILE), None)


@pytest.mark.parametrize(
    "change",
    [
        {"path": "/etc/issue"}, {"kind": FileKind.FIFO}, {"mode": 0o600}, {"uid": 1}, {"gid": 0}, {"size": 7},
        {"xattrs": {"user.a": b""}},
    ],
)  # fmt: skip
def test_whatever_a_machine_sees_changes_the_digest(change: dict[str, object]) -> None:
    """Name, kind, mode, owner, size and attributes all count."""
    assert tree_digest(tree(FILE), None) != tree_digest(tree(replace(FILE, **change)), None)  # type: ignore[arg-type]


def test_content_changes_the_digest() -> None:
    """One byte is enough."""
    assert tree_digest(tree(FILE), None) != tree_digest(tree(FILE, content=b"hallo\n"), None)


def test_inode_numbers_do_not_change_the_digest() -> None:
    """Where a file lies on the disk does not count."""
    assert tree_digest(tree(FILE), None) == tree_digest(tree(replace(FILE, number=99)), None)


def test_names_cannot_forge_lines() -> None:
    """Blanks, newlines and bytes that are no text are written as percent codes."""
    assert "/a%20b%0Ac%25%C3%A4%FF" == quote("/a b\nc%ä\udcff")


def test_a_file_is_read_once() -> None:
    """Rules and digest share the hash of a file."""
    reads: list[str] = []

    def reader(file: File) -> Iterable[bytes]:
        reads.append(file.path)
        return [CONTENT]

    counted = Tree([FILE], reader)
    tree_digest(counted, None)
    tree_digest(counted, None)

    assert ["/etc/motd"] == reads
