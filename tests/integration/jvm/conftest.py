"""The host's jar and the sample program, compiled once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from goldnode.bake.programs import jvmhost
from goldnode.progress import SILENT
from tests.integration.jvm.hosting import JAVAS, PROGRAMS, Hosted, hosting


@pytest.fixture(scope="session")
def jar() -> Path:
    """The JVM host as it goes into an image."""
    return jvmhost.build(SILENT)


@pytest.fixture(scope="session")
def sample(jar: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample program's classes; the host beside them only for the adapter's interface."""
    classes = tmp_path_factory.mktemp("sample")
    sources = sorted((PROGRAMS / "sample").glob("*.java"))
    jvmhost.compile_java(jvmhost.compiler(), sources, classes, classpath=str(jar))
    return classes


@pytest.fixture(scope="module")
def host(jar: Path, sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    """One host that tests share: each adds nodes of its own, and takes for granted that others come and go."""
    with hosting(jar, tmp_path_factory.mktemp("host"), [sample]) as hosted:
        yield hosted


@pytest.fixture(scope="module", params=JAVAS, ids=lambda java: java.parent.parent.name)
def anywhere(
    request: pytest.FixtureRequest, jar: Path, sample: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Hosted]:
    """A host on each Java of this machine."""
    with hosting(jar, tmp_path_factory.mktemp("anywhere"), [sample], java=request.param) as hosted:
        yield hosted
