"""The repository holds: no hygiene rule without a planted violation."""

import sys

import goldnode.image.rules  # noqa: F401 - fills the list
from goldnode.image.rule import RULES
from goldnode.paths import REPOSITORY
from goldnode.run import run
from tests.image.violations import VIOLATIONS


def test_every_rule_has_a_plant_and_every_plant_a_rule() -> None:
    """A rule that nobody has seen fail may be one that cannot fail."""
    rules = [rule.id for rule in RULES]

    assert sorted(rules) == sorted(VIOLATIONS)


def test_every_rule_says_what_it_promises_and_why() -> None:
    """A finding is useless without the promise, the reason, the source and the fix."""
    mute = [rule.id for rule in RULES if not all((rule.promise, rule.why, rule.source, rule.fix))]

    assert mute == []


def test_no_rule_waits_for_its_first_use() -> None:
    """Imported as `./invoke` imports, where modules wait until they are looked at, the check has all of its rules."""
    lines = ("from goldnode.tasks.terminal import lazy", "with lazy.waiting():",
             "    from goldnode.image.check import check_image", "from goldnode.image.rule import RULES",
             "print(len(RULES))")  # fmt: skip

    assert f"{len(VIOLATIONS)}\n" == run([sys.executable, "-c", "\n".join(lines)], cwd=REPOSITORY).stdout
