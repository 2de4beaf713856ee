"""Who reads what a command prints may go away: the work goes on to its end, and its exit code tells."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from goldnode.paths import REPOSITORY
from goldnode.run import clean_env, run
from goldnode.tasks.terminal import completion

WORKER = """
import sys
from pathlib import Path
from goldnode.tasks import console
from goldnode.tasks.terminal.streams import survive_readers
survive_readers()
with console.progress() as shown:
    for number in range(2000):
        with shown.step(f"step {number} of a long bake"):
            print("a word about it", flush=True)
Path(sys.argv[1]).write_text("the image")
"""


def test_work_whose_reader_goes_is_done(tmp_path: Path) -> None:
    """`2>&1 | head -n 1` takes neither the result nor the exit code from what takes longer than that."""
    result = tmp_path / "result"
    with subprocess.Popen(
        [sys.executable, "-c", WORKER, result],
        cwd=REPOSITORY,
        env=clean_env(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as worker:
        assert worker.stdout is not None
        worker.stdout.readline()
        worker.stdout.close()
        code = worker.wait()

    assert (0, "the image") == (code, result.read_text())


def test_a_shell_completes_the_words_of_a_group(tmp_path: Path) -> None:
    """TAB behind `./invoke network ` offers its commands, and behind one of them options and names."""
    file = tmp_path / "completion.bash"
    file.write_text(completion.SCRIPTS["bash"])
    script = f"""
    source {file}
    complete_words() {{ COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _goldnode; echo "${{COMPREPLY[*]}}"; }}
    complete_words ./invoke net
    complete_words ./invoke network ""
    complete_words ./invoke network check loc
    complete_words ./invoke image show --js
    complete_words ./invoke bake -n localn
    """
    said = run(["bash", "-c", script], cwd=REPOSITORY).stdout.splitlines()

    assert ["network", "networks"] == said[0].split()
    assert {"check", "import", "lock", "show"} <= set(said[1].split())
    assert {"localnet"} <= set(said[2].split())
    assert ["--json"] == said[3].split()
    assert ["localnet"] == said[4].split()
