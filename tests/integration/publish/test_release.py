"""Release folders of a small, real disk: made, verified, damaged, compared, and judged by others' tools."""

from __future__ import annotations

import itertools
import json
import random
import shutil
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from goldnode.bake.manifest import beside
from goldnode.errors import HostError, ImageError, InputError, UsageError
from goldnode.files import sha256_file
from goldnode.image.check import open_image
from goldnode.progress import SILENT
from goldnode.publish import binding, difference, inventory, sbom
from goldnode.publish.binding import RELEASE, SIGNATURE, SUMS, FileRole
from goldnode.publish.release import make, require_possible
from goldnode.publish.signature import NAMESPACE, check, sign
from goldnode.publish.verify import verify
from goldnode.run import run, spawn
from tests.image import miniature
from tests.integration.publish.miniature_release import DAEMON, bake_miniature, order
from tests.support.waiting import until

MIB = 1 << 20


@pytest.fixture
def copy(release: Path, tmp_path: Path) -> Path:
    """A release to harm."""
    return Path(shutil.copytree(release, tmp_path / release.name))


def seal_again(folder: Path, key: Path) -> None:
    """What a forger with a key of their own does: make sums and signature fit again."""
    names = sorted(path.name for path in folder.iterdir() if path.name not in (SUMS, SIGNATURE))
    (folder / SUMS).write_text("".join(f"{sha256_file(folder / name)}  {name}\n" for name in names))
    sign(folder / SUMS, key)


def bind_again(folder: Path, role: FileRole, key: Path) -> None:
    """As ``seal_again``, with release.json fitted to a changed file too."""
    document = json.loads((folder / RELEASE).read_text())
    for each in document["files"]:
        if each["role"] == role:
            path = folder / each["name"]
            each["size"], each["sha256"] = path.stat().st_size, sha256_file(path)
    (folder / RELEASE).write_text(json.dumps(document))
    seal_again(folder, key)


def test_verifies_and_names_the_signer(release: Path, key: Path) -> None:
    """A release as it was made passes, and says whose key signed it."""
    known = verify(release, key.with_name("allowed_signers"))
    unknown = verify(release, None)

    fingerprint = run(["ssh-keygen", "-lf", key.with_suffix(".pub")]).stdout.split()[1]
    assert ("operator", True) == (known.signer, known.trusted)
    assert (fingerprint, False) == (unknown.signer, unknown.trusted)


def test_a_bit_in_every_mebibyte_of_every_file(copy: Path) -> None:
    """One flipped bit in each MiB and in the first 64 bytes of each file is found, and its file named."""
    chance = random.Random(20261120)  # noqa: S311 - repeatable, nothing secret
    for path in sorted(copy.iterdir()):
        size = path.stat().st_size
        places = {chance.randrange(start, min(start + MIB, size)) for start in range(0, size, MIB)}
        for place in sorted(places | {chance.randrange(min(64, size))}):
            mask = 1 << chance.randrange(8)
            flip(path, place, mask)

            with pytest.raises(ImageError) as found:
                verify(copy, None)

            assert path.name in found.value.message
            assert found.value.exit_code == 7
            flip(path, place, mask)
    verify(copy, None)


def flip(path: Path, place: int, mask: int) -> None:
    """Flip bits of one byte; doing it again puts them back."""
    with path.open("r+b") as stream:
        stream.seek(place)
        byte = stream.read(1)[0]
        stream.seek(place)
        stream.write(bytes([byte ^ mask]))


def test_every_byte_of_the_signature(copy: Path) -> None:
    """No byte of the signature can change unnoticed: neither in its armour nor in its last, unused bits."""
    content = (copy / SIGNATURE).read_bytes()
    for place in range(len(content)):
        changed = bytearray(content)
        changed[place] ^= 1 << place % 8
        (copy / SIGNATURE).write_bytes(changed)

        with pytest.raises(ImageError, match=SIGNATURE):
            check(copy / SUMS, copy / SIGNATURE, None)


def test_every_file_missing(copy: Path) -> None:
    """Whichever file is missing is named."""
    for path in sorted(copy.iterdir()):
        away = path.rename(copy.parent / "away")

        with pytest.raises(ImageError, match=f"{path.name}.* is missing"):
            verify(copy, None)

        away.rename(path)


def test_added_and_swapped_files(copy: Path) -> None:
    """A file that does not belong is named; so are both of two that changed places."""
    (copy / "extra").write_text("x")
    with pytest.raises(ImageError, match="extra does not belong"):
        verify(copy, None)
    (copy / "extra").unlink()
    names = sorted(path.name for path in copy.iterdir() if path.name not in (SUMS, SIGNATURE))
    for one, other in itertools.pairwise(names):
        swap(copy / one, copy / other)

        with pytest.raises(ImageError) as found:
            verify(copy, None)

        assert one in found.value.message
        assert other in found.value.message
        swap(copy / one, copy / other)


def swap(one: Path, other: Path) -> None:
    """Exchange two files."""
    one.rename(one.with_name("swap"))
    other.rename(one)
    one.with_name("swap").rename(other)


def test_another_signer_is_refused(copy: Path, key: Path, tmp_path: Path) -> None:
    """Sums signed again by somebody else pass only where nobody said whom to trust."""
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "other"])
    seal_again(copy, tmp_path / "other")

    verify(copy, None)
    with pytest.raises(ImageError, match="not a valid signature"):
        verify(copy, key.with_name("allowed_signers"))


def test_signature_for_another_purpose(copy: Path, key: Path) -> None:
    """A signature the operator made for something else does not count."""
    (copy / SIGNATURE).unlink()
    run(["ssh-keygen", "-Y", "sign", "-q", "-f", key, "-n", "git", copy / SUMS])

    with pytest.raises(ImageError, match=SIGNATURE):
        verify(copy, None)


@pytest.mark.parametrize(
    ("role", "change", "named"),
    [
        (FileRole.MANIFEST, lambda d: d["source"].update(commit="d" * 40), "its commit is not that of the release"),
        (FileRole.MANIFEST, lambda d: d["source"].update(dirty=True), "changes that are not in commit"),
        (FileRole.MANIFEST, lambda d: d["image"].update(sha256="0" * 64), "its qcow2 is not that of the release"),
        (FileRole.MANIFEST, lambda d: d.pop("image"), "not what it must be"),
        (FileRole.INVENTORY, lambda d: d["files"].update({"/evil": "file"}), "its file-tree digest is not"),
        (FileRole.INVENTORY, lambda d: d["packages"].update({"evil": "1 all"}), "lacks the package evil 1"),
        (FileRole.SBOM, lambda d: d["components"].pop(), ""),
        (FileRole.PROVENANCE, lambda d: d["subject"].pop(), "its list of subjects is not"),
    ],
)
def test_documents_that_contradict_each_other(
    copy: Path, key: Path, role: FileRole, change: object, named: str
) -> None:
    """Files that are all signed, but do not speak of the same image, are refused, with the one that lies named."""
    path = copy / (copy.name + role.ending)
    document = json.loads(path.read_text())
    change(document)  # type: ignore[operator]
    path.write_text(json.dumps(document))
    bind_again(copy, role, key)

    with pytest.raises(ImageError) as found:
        verify(copy, None)

    assert named in found.value.message


@pytest.mark.parametrize("role", [FileRole.RAW, FileRole.GCP])
def test_another_disk_inside(copy: Path, key: Path, role: FileRole) -> None:
    """A well-formed, signed archive of another disk is refused; so is one that is none."""
    path = copy / (copy.name + role.ending)
    path.write_bytes(b"no archive at all")
    bind_again(copy, role, key)

    with pytest.raises(ImageError, match="cannot be unpacked"):
        verify(copy, None)


def test_failed_test_in_the_report(copy: Path, key: Path) -> None:
    """A release whose report has a failed test, or no test, is refused."""
    path = copy / (copy.name + FileRole.TESTS.ending)
    path.write_text("<testsuites><testsuite><testcase name='boot'><failure/></testcase></testsuite></testsuites>")
    bind_again(copy, FileRole.TESTS, key)

    with pytest.raises(ImageError, match="boot failed"):
        verify(copy, None)


def test_renamed_release(copy: Path) -> None:
    """A folder that calls itself another release is refused."""
    other = copy.rename(copy.with_name("localnet-9.9.9-amd64"))

    with pytest.raises(ImageError, match="is that of localnet"):
        verify(other, None)


@pytest.mark.parametrize("text", ["{", "{}", '{"version": 2}'])
def test_release_json_against_its_schema(copy: Path, key: Path, text: str) -> None:
    """A release.json that is none is refused, even when signed."""
    (copy / RELEASE).write_text(text)
    seal_again(copy, key)

    with pytest.raises(ImageError, match=RELEASE):
        verify(copy, None)


def test_others_tools_agree(release: Path, key: Path) -> None:
    """ssh-keygen, sha256sum and CycloneDX's validator accept what we made, each by itself."""
    signers = key.with_name("allowed_signers")
    run(
        ["ssh-keygen", "-Y", "verify", "-f", signers, "-I", "operator", "-n", NAMESPACE, "-s", release / SIGNATURE],
        stdin=(release / SUMS).read_text(),
    )
    run(["sha256sum", "--check", "--strict", SUMS], cwd=release)
    run(["zstd", "-q", "-t", release / (release.name + FileRole.RAW.ending)])
    bill = (release / (release.name + FileRole.SBOM.ending)).read_text()

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(bill) is None


def test_google_takes_the_archive(release: Path, tmp_path: Path) -> None:
    """The archive for Google is old GNU tar with one member, `disk.raw`, which is the disk."""
    path = release / (release.name + FileRole.GCP.ending)
    with tarfile.open(path) as archive:
        names = archive.getnames()
    run(["tar", "-xzf", path, "-C", tmp_path])

    assert ["disk.raw"] == names
    assert binding.read(release).disk_sha256 == sha256_file(tmp_path / "disk.raw")


def test_sbom_lists_what_dpkg_does_not_know(release: Path) -> None:
    """Packages, the daemon with its modules, and programs of no package are all in the bill."""
    bill = json.loads((release / (release.name + FileRole.SBOM.ending)).read_text())
    refs = {each["bom-ref"]: each for each in bill["components"]}

    assert "pkg:deb/debian/tool@1.0?arch=amd64&distro=debian-13" in refs
    assert {"name": "daemon", "version": "1"}.items() <= refs[f"file:/{DAEMON}"].items()
    assert refs["pkg:golang/example.org/c@v2.0.0"]["properties"] == [{"name": "goldnode:go-sum", "value": "h1:c"}]
    (depends,) = [each for each in bill["dependencies"] if each["ref"] == f"file:/{DAEMON}"]
    assert "pkg:golang/example.org/a@v1.2.3" in depends["dependsOn"]


def test_sbom_is_checked_against_the_disk_in_both_directions(baked: Path, tmp_path: Path) -> None:
    """A package or program that is only in the bill, or only on the disk, is named."""
    manifest = json.loads(beside(baked).read_text())
    with open_image(baked) as image:
        bill = sbom.compose(image.root, manifest, "localnet-1.0.0-amd64", "1.0.0")

        assert [] == sbom.cross_check(image.root, bill)
    status = str(miniature.FILES["var/lib/dpkg/status"]).replace("1.0\n", "1.1\n")
    (tmp_path / "other").mkdir()
    changes: dict[str, str | bytes] = {
        "var/lib/dpkg/status": status,
        DAEMON: b"\x7fELF other",
        "usr/bin/dropped": b"\x7fELF",
    }
    other = bake_miniature(tmp_path / "other", changes)
    with open_image(other) as image:
        assert [
            "pkg:deb/debian/tool@1.1?arch=amd64&distro=debian-13 is on the disk, but not in the SBOM",
            "pkg:deb/debian/tool@1.0?arch=amd64&distro=debian-13 is in the SBOM, but not on the disk",
            "/usr/bin/dropped belongs to no package and is not in the SBOM",
            f"/{DAEMON} is not what the SBOM lists",
        ] == sbom.cross_check(image.root, bill)


def test_released_twice_is_the_same(release: Path, key: Path, tmp_path: Path) -> None:
    """The same files give the same tree digest, the same SBOM and an empty difference."""
    (tmp_path / "again").mkdir()
    second = make(order(bake_miniature(tmp_path / "again", {}), key, tmp_path / "out"), SILENT)

    one, two = (binding.read(folder) for folder in (release, second))
    old, new = (inventory.read(folder / (folder.name + FileRole.INVENTORY.ending)) for folder in (release, second))
    assert one.tree_sha256 == two.tree_sha256
    assert one.file(FileRole.SBOM).sha256 == two.file(FileRole.SBOM).sha256
    assert {} == difference.compare(old, new).sections


def test_one_package_changed(release: Path, tmp_path: Path) -> None:
    """After one package's update, the difference names exactly that package, and the files it changed."""
    status = str(miniature.FILES["var/lib/dpkg/status"]).replace("Version: 1.0\n", "Version: 1.1\n")
    new = bake_miniature(tmp_path, {"var/lib/dpkg/status": status})

    found = difference.compare(
        inventory.read(release / (release.name + FileRole.INVENTORY.ending)), inventory.of_image(new)
    )

    assert ["~ tool  1.0 amd64 -> 1.1 amd64"] == [str(change) for change in found.sections["packages"]]
    assert ["/var/lib/dpkg/status"] == [change.name for change in found.sections["files"]]
    assert {"packages", "files"} == set(found.sections)


def test_refuses_what_cannot_be_made_again(baked: Path, key: Path, tmp_path: Path) -> None:
    """A release of an uncommitted state leaves nothing behind."""
    image = Path(shutil.copy(baked, tmp_path))
    document = json.loads(beside(baked).read_text())
    document["source"]["dirty"] = True
    beside(image).write_text(json.dumps(document))

    with pytest.raises(ImageError, match="cannot be released"):
        make(order(image, key, tmp_path / "out"), SILENT)

    assert not (tmp_path / "out").exists()


def test_refuses_another_image_than_its_manifest(baked: Path, key: Path, tmp_path: Path) -> None:
    """An image that changed after its bake is not released, and does not verify."""
    image = Path(shutil.copy(baked, tmp_path))
    shutil.copy(beside(baked), tmp_path)
    verify(image, None)
    with image.open("ab") as stream:
        stream.write(b"\0")

    with pytest.raises(ImageError, match="is not the image of"):
        make(order(image, key, tmp_path / "out"), SILENT)
    with pytest.raises(ImageError, match="its SHA-256 is"):
        verify(image, None)


def test_a_version_is_released_once(release: Path, baked: Path, key: Path) -> None:
    """A second release under the same name is refused."""
    with pytest.raises(InputError, match="a version is released once"):
        make(order(baked, key, release.parent), SILENT)


def test_unusable_key(baked: Path, tmp_path: Path) -> None:
    """A key that cannot sign is named, and no half release stays."""
    with pytest.raises(HostError, match="could not be signed"):
        make(order(baked, tmp_path / "absent", tmp_path / "out"), SILENT)

    assert not (tmp_path / "out").exists()


def test_key_in_an_agent(baked: Path, key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key whose private half only ssh-agent holds signs too, named by its public half."""
    socket = tmp_path / "agent"
    with spawn(["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL):
        assert until(socket.exists)
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
        run(["ssh-add", "-q", key], env={"SSH_AUTH_SOCK": str(socket)})
        public = Path(shutil.copy(key.with_suffix(".pub"), tmp_path))
        folder = make(order(baked, public, tmp_path / "out"), SILENT)

    assert "operator" == verify(folder, key.with_name("allowed_signers")).signer


@pytest.mark.parametrize("text", ["<testsuite><testcase name='joins'><error/></testcase></testsuite>", "<testsuites/>"])
def test_refuses_failed_tests(baked: Path, key: Path, tmp_path: Path, text: str) -> None:
    """A report with a failed test, or with none, stops a release before anything is made, and is named."""
    (tmp_path / "boot.xml").write_text(text)
    wish = replace(order(baked, key, tmp_path / "out"), reports=[tmp_path / "boot.xml"])

    with pytest.raises(ImageError, match=r"failed tests:\n.*boot\.xml"):
        make(wish, SILENT)

    assert not (tmp_path / "out").exists()


def test_a_version_that_is_none(key: Path, tmp_path: Path) -> None:
    """What cannot be part of a file's name cannot be a version."""
    with pytest.raises(InputError, match="is not a valid name"):
        require_possible("localnet-../x-amd64", key, tmp_path)


def test_nothing_there(tmp_path: Path, baked: Path) -> None:
    """A path that is nothing, and an image without a manifest, are told apart."""
    with pytest.raises(UsageError):
        verify(tmp_path / "absent", None)
    with pytest.raises(ImageError, match="no manifest"):
        verify(Path(shutil.copy(baked, tmp_path / "lonely.qcow2")), None)
