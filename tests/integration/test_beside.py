"""Two jobs at the same time: results come back, and nothing of a job that is given up goes on."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from goldnode.beside import beside
from goldnode.run import CommandError, run


def test_the_result_comes_back() -> None:
    """What the job returns is what its future gives."""
    with beside(lambda: run(["echo", "done"]).stdout) as job:
        said = job.result()

    assert "done\n" == said


def test_what_it_raised_comes_back() -> None:
    """A failure of the job is raised where its result is asked for."""
    with pytest.raises(CommandError, match="exited 3"), beside(lambda: run(["sh", "-c", "exit 3"])) as job:
        job.result()


def test_given_up_it_ends_its_programs(tmp_path: Path) -> None:
    """When our own work fails, the job's program is ended, and the next one does not run."""
    started, second = threading.Event(), tmp_path / "second"

    def work() -> None:
        started.set()
        run(["sleep", "600"], check=False)
        run(["touch", second])

    def ours() -> None:
        with beside(work):
            started.wait(20)
            raise ValueError("ours")

    with pytest.raises(ValueError, match="ours"):
        ours()

    assert not second.exists()
