"""Which jars Maven is asked for, and how they are named."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from goldnode.bake.programs import jars
from goldnode.bake.programs.coordinates import Jar
from goldnode.config.network import NETWORKS

ONE = Jar("a" * 64, "org.example", "core", "1.2")
OTHER = Jar("b" * 64, "org.example", "core", "1.2", "linux")


def test_a_list_is_read_without_its_comments() -> None:
    """Comments and empty lines are no jars; a fourth part is the classifier."""
    text = f"# jars\n{'a' * 64}  org.example:core:1.2\n\n{'b' * 64}  org.example:core:1.2:linux\n"

    assert (ONE, OTHER) == jars.parse(text)


@pytest.mark.parametrize(("jar", "name"), [(ONE, "core-1.2.jar"), (OTHER, "core-1.2-linux.jar")])
def test_files_are_named_as_maven_names_them(jar: Jar, name: str) -> None:
    """A folder that Maven filled can be given as it is."""
    assert name == jar.filename


def test_maven_is_asked_for_exactly_the_listed_jars() -> None:
    """The project names every jar and excludes everything that one of them depends on."""
    root = ET.fromstring(jars.project([ONE, OTHER]))  # noqa: S314 - our own text
    names = {"m": "http://maven.apache.org/POM/4.0.0"}
    found = [
        (
            entry.findtext("m:groupId", "", names),
            entry.findtext("m:artifactId", "", names),
            entry.findtext("m:classifier", "", names),
            entry.findtext("m:exclusions/m:exclusion/m:artifactId", "", names),
        )
        for entry in root.iterfind("m:dependencies/m:dependency", names)
    ]

    assert [("org.example", "core", "", "*"), ("org.example", "core", "linux", "*")] == found


def test_every_jar_of_daml_is_pinned_once() -> None:
    """The list that ships has the sandbox with its known hash, and no file name twice."""
    listed = jars.parse((NETWORKS / "daml.sha256sums").read_text())
    sandbox = next(jar for jar in listed if jar.artifact == "sandbox_2.13")

    assert ("e5b86cfb5fe26e878e2901c8cd1953e498c5c2b45df4562efd3aa0805c437cb3", 137, 137) == (
        sandbox.sha256,
        len(listed),
        len({jar.filename for jar in listed}),
    )


def test_every_jar_of_mokamint_is_pinned_once() -> None:
    """The list that ships has the chain's node and every jar it needs, and no file name twice."""
    listed = jars.parse((NETWORKS / "mokamint.sha256sums").read_text())

    assert (67, 67) == (len(listed), len({jar.filename for jar in listed}))
    assert {"1.4.0"} == {jar.version for jar in listed if jar.group == "io.mokamint"}
