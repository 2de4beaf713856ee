"""The difference between two inventories."""

from __future__ import annotations

from goldnode.publish import difference
from goldnode.publish.inventory import SECTIONS, Inventory


def inventory(name: str, **sections: dict[str, str]) -> Inventory:
    """An inventory with some sections filled."""
    return Inventory(name, {section: sections.get(section, {}) for section in SECTIONS})


def test_same_is_empty() -> None:
    """Two images with the same content have no difference."""
    one = inventory("one", packages={"a": "1 all"}, files={"/x": "file 0644"})

    found = difference.compare(one, inventory("two", **{k: dict(v) for k, v in one.sections.items()}))

    assert {} == found.sections
    assert found.text() == "one and two hold the same\n"
    assert "hold the same" in found.markdown()


def test_names_exactly_what_changed() -> None:
    """Added, removed and changed names are told apart, and nothing else is listed."""
    old = inventory("old", packages={"a": "1 all", "b": "1 all", "c": "1 all"})
    new = inventory("new", packages={"a": "1 all", "b": "2 all", "d": "1 all"})

    text = difference.compare(old, new).text()

    assert text == "packages (3)\n  ~ b  1 all -> 2 all\n  - c  1 all\n  + d  1 all\n"


def test_markdown_folds() -> None:
    """Markdown has one folding block per section, with a diff inside."""
    found = difference.compare(inventory("old"), inventory("new", users={"eve": "1000:1000 /home/eve /bin/sh"}))

    assert "<summary>users: 1</summary>\n\n```diff\n+ eve  1000:1000 /home/eve /bin/sh\n```" in found.markdown()


def test_long_sections_are_counted() -> None:
    """What does not fit is counted."""
    many = {f"/f{number:04}": "file" for number in range(difference.SHOWN + 5)}

    assert "and 5 more" in difference.compare(inventory("old"), inventory("new", files=many)).text()
