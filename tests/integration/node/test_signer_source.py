"""The signer's own tests, in Go; and that each of its rules is guarded by one of them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from goldnode.bake.programs import gomodule, signer
from goldnode.bake.programs.toolchain import go
from goldnode.node.system.machine import architecture
from goldnode.progress import SILENT
from goldnode.run import Completed, run

#: A rule, the file it is in, a text that stands there once, and what stands there without the rule.
MUTANTS = (
    ("no height below lo", "leased.go", "height < l.grant.Lo || ", ""),
    ("no height above hi", "leased.go", " || height > l.grant.Hi", ""),
    ("nothing after a stop", "leased.go", "\tif l.stopped {\n\t\treturn fmt", "\tif false {\n\t\treturn fmt"),
    ("R1: the state is put on the disk", "leased.go", "l.state.keep(); err", "error(nil); err"),
    ("R1: without it on the disk no signature leaves", "leased.go",
     'return fmt.Errorf("the signing state may not be on the disk: %w", err)', "return nil"),
    ("R1: after that none leaves ever", "leased.go", "\t\tl.stopped = true\n\t\treturn", "\t\treturn"),
    ("a refusal carries no vote's signature", "leased.go", "*vote = unsigned", "_ = unsigned"),
    ("a refusal carries no proposal's signature", "leased.go", "*proposal = unsigned", "_ = unsigned"),
    ("R5: a stop is for good", "leased.go", "l.stopped, l.grant = true, grant{}", "l.grant = grant{}"),
    ("R5: no grant after a stop", "leased.go", "if l.stopped || o.Lo < 1", "if o.Lo < 1"),
    ("a grant begins at a height", "leased.go", " || o.Lo < 1", ""),
    ("a grant ends after it begins", "leased.go", " || o.Hi < o.Lo", ""),
    ("a revoked grant is gone", "leased.go", '"revoke":\n\t\tl.grant = grant{}', '"revoke":'),
    ("R8: an order is for one process", "leased.go", "&& o.Session != l.session", "&& false"),
    ("only a stopped signer ends", "leased.go", "if !l.stopped {", "if false {"),
    ("a process begins with what is on the disk", "durable.go", "if err := os.WriteFile(memory",
     "if _, there := os.Stat(memory); there == nil {\n\t} else if err := os.WriteFile(memory"),
    ("an empty state signs nothing", "durable.go", "len(bytes.TrimSpace(text)) == 0", "false"),
)  # fmt: skip


def check(source: Path, test: str = "^Test") -> Completed:
    """Run the Go tests of a copy of the signer."""
    env = gomodule.environment(signer.RECIPE, architecture())
    return run([go(SILENT), "test", "-count=1", "-run", test, "."], cwd=source, env=env, check=False, timeout=900)


def test_the_signers_own_tests_pass() -> None:
    """`go test` of the signer, with the toolchain and the modules that it is built from."""
    done = check(signer.SOURCE)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.long
@pytest.mark.parametrize(("rule", "file", "old", "new"), MUTANTS, ids=[each[0] for each in MUTANTS])
def test_without_one_of_its_rules_a_test_fails(rule: str, file: str, old: str, new: str, tmp_path: Path) -> None:
    """Each rule taken out of the shipped source, in turn: it still compiles, and some test notices."""
    copy = Path(shutil.copytree(signer.SOURCE, tmp_path / "signer"))
    text = (copy / file).read_text()
    assert text.count(old) == 1, f"{rule}: {old!r} is not once in {file}"
    (copy / file).write_text(text.replace(old, new))

    done = check(copy)

    assert "--- FAIL: Test" in done.stdout, done.stdout + done.stderr
