"""The Java program's own tests, on every Java of this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from goldnode.bake.programs import jvmhost
from goldnode.run import run
from tests.integration.jvm.hosting import JAVAS

OPENED = (
    "java.base/java.lang",
    "java.base/java.util",
    "java.base/java.util.concurrent",
    "java.base/jdk.internal.vm",
    "java.base/sun.security.jca",
    "java.base/java.net",
)


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Host and tests, compiled together."""
    folder = tmp_path_factory.mktemp("classes")
    sources = sorted(jvmhost.SOURCES.parent.rglob("*.java"))
    jvmhost.compile_java(jvmhost.compiler(), sources, folder)
    return folder


@pytest.mark.parametrize("java", JAVAS, ids=lambda java: java.parent.parent.name)
def test_every_part_of_the_host_keeps_its_promise(classes: Path, java: Path) -> None:
    """Every unit test of the Java program passes."""
    opened = [f"--add-opens={package}=ALL-UNNAMED" for package in OPENED]

    done = run([java, "-XX:+UseSerialGC", *opened, "-cp", classes, "goldnode.jvm.Check"], check=False)

    assert (0, []) == (done.returncode, [line for line in done.stdout.splitlines() if not line.startswith("ok ")])
