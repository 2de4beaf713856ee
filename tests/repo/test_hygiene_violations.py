"""The repository holds: no hygiene rule without a planted violation."""

import goldnode.image.rules  # noqa: F401 - fills the list
from goldnode.image.rule import RULES
from tests.image.violations import VIOLATIONS


def test_every_rule_has_a_plant_and_every_plant_a_rule() -> None:
    """A rule that nobody has seen fail may be one that cannot fail."""
    rules = [rule.id for rule in RULES]

    assert sorted(rules) == sorted(VIOLATIONS)


def test_every_rule_says_what_it_promises_and_why() -> None:
    """A finding is useless without the promise, the reason, the source and the fix."""
    mute = [rule.id for rule in RULES if not all((rule.promise, rule.why, rule.source, rule.fix))]

    assert mute == []
