"""An existing validator's key comes with what it signed last, whoever kept that, or not at all."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldnode.errors import SafetyError
from goldnode.node.keys import keys, other_signers
from goldnode.node.keys.claims import ALIVE, FAR, Claim, judge
from goldnode.node.keys.cometbft_keys import Key
from goldnode.node.keys.signing_state import SigningState
from goldnode.protocol.key_proof import is_proven, prove
from goldnode.protocol.wire import key_from_seed
from tests.support.node_lab import Cluster, Person, Tree

KEY = Key(b"\1" * 32)
#: As CometBFT, tmkms 0.15 and Horcrux 3.3 write them.
COMETBFT = {"height": "5000000", "round": 1, "step": 2, "signature": "c2ln", "signbytes": "00"}
TMKMS = {"height": "5000000", "round": "1", "step": 1, "block_id": None}
HORCRUX = {"height": "5000000", "round": "1", "step": 2, "nonce_public": None, "FilePath": "x"}


@pytest.fixture
def person(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Person:
    """At a validator that waits for its key."""
    tree = Tree(tmp_path / "machine")
    tree.node_yaml("validator", Cluster().invite("validator"), "val-1", consensus_key="existing")
    person = Person(tree, capsys)
    person.types("configure")
    return person


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """The key's file, in a home such as CometBFT's."""
    file = tmp_path / "old" / "config" / "priv_validator_key.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(KEY.validator_document()))
    return file


@pytest.mark.parametrize(
    ("document", "state"),
    [
        (COMETBFT, SigningState(5_000_000, 1, 2)),
        (TMKMS, SigningState(5_000_000, 1, 3)),
        (HORCRUX, SigningState(5_000_000, 1, 2)),
        ({"height": 7, "round": 0}, SigningState(7, 0, 3)),
    ],
)
def test_other_signers_states_are_read(document: dict[str, object], state: SigningState) -> None:
    """Height and round as they stand; a step that is not CometBFT's is the last one of its round."""
    assert state == other_signers.parse(json.dumps(document), "state.json")


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_a_state_without_a_height_is_refused(value: object) -> None:
    """What does not say a height is never taken for height 0."""
    for document in (value, {"height": value}, {"height": "1", "round": value if value != 0 else None}):
        text = json.dumps(document)
        found = None
        with contextlib.suppress(SafetyError):
            found = other_signers.parse(text, "state.json")
        assert found is None or (isinstance(document, dict) and str(found.height) == str(document["height"]))


@pytest.mark.parametrize("named", [True, False])
def test_a_key_comes_with_its_state(person: Person, key: Path, tmp_path: Path, named: bool) -> None:
    """`key import KEY --state STATE`, or with the state that lies where CometBFT keeps it."""
    state = (tmp_path / "tmkms.json") if named else key.parent.parent / "data" / "priv_validator_state.json"
    state.parent.mkdir(exist_ok=True)
    state.write_text(json.dumps(TMKMS if named else COMETBFT))

    code, said = person.types("key", "import", key, *(["--state", state] if named else []))

    node = person.tree.layout.node("val-1")
    record, placed = keys.read_record(node), keys.read_state(node)
    assert 0 == code, said
    assert record
    assert (True, placed) == (record.used, SigningState(5_000_000, 1, 3 if named else 2))
    assert "signs nothing at or below" in said


@pytest.mark.parametrize(
    ("state", "words", "said"),
    [
        (None, [], "comes without what it signed last"),
        ({"height": "0", "round": 0, "step": 0}, [], "says that the key never signed"),
        (COMETBFT, ["--never-used"], "signed up to 5000000/1/2"),
        ({"height": ""}, [], "does not say what was signed last"),
        ({"height": ""}, ["--never-used"], "does not say what was signed last"),
    ],
)
def test_in_doubt_no_key_comes(
    person: Person, key: Path, state: dict[str, object] | None, words: list[str], said: str
) -> None:
    """No state, a fresh one, an unreadable one, or one that contradicts --never-used: nothing is placed."""
    if state is not None:
        key.with_name("priv_validator_state.json").write_text(json.dumps(state))

    code, answer = person.types("key", "import", key, *words)

    assert (8, True) == (code, said in answer)
    assert not person.tree.layout.node("val-1").consensus_key.exists()


def test_an_archive_for_another_node_is_refused(person: Person, key: Path, tmp_path: Path) -> None:
    """`key export --for` binds an archive to one node: no other imports it, and nobody twice."""
    person.types("key", "import", key, "--never-used")
    person.types("stop", "--hold")
    file = tmp_path / "archive.json"

    assert 0 == person.types("key", "export", file, "--for", "a" * 40)[0]

    code, said = person.types("key", "import", file)
    assert (8, True) == (code, f"was exported for the node {'a' * 40}" in said)


def test_an_archive_for_nobody_is_anybodys(
    person: Person, key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What docs say is not prevented, and export says: without --for any node imports it, and a second one too."""
    person.types("key", "import", key, "--never-used")
    person.types("stop", "--hold")
    file = tmp_path / "archive.json"
    _, said = person.types("key", "export", file)
    codes = []
    for name in ("second", "third"):
        tree = Tree(tmp_path / name, instance=name)
        tree.node_yaml("validator", Cluster().invite("validator"), "val-1", consensus_key="existing")
        other = Person(tree, capsys)
        other.types("configure")
        codes.append(other.types("key", "import", file)[0])

    assert [0, 0] == codes
    assert "Any node can import it" in said


def test_a_copy_may_do_nothing_with_its_key(person: Person, key: Path, tmp_path: Path) -> None:
    """On a copied disk neither handover, nor export, import or recover touch the key: the original may be signing."""
    person.types("key", "import", key, "--never-used")
    person.types("stop", "--hold")
    person.tree.write("/var/lib/cloud/data/instance-id", "i-2\n")
    person.types("configure")
    before = {name: text for name, text in person.tree.files().items() if "/nodes/" in name}

    answers = [
        person.types(*words)
        for words in (["handover"], ["key", "export", tmp_path / "x"], ["key", "import", key, "--never-used"],
                      ["key", "recover"])
    ]  # fmt: skip

    assert [8] * 4 == [code for code, _ in answers], answers
    assert all("this disk is a copy" in said for _, said in answers)
    assert before == {name: text for name, text in person.tree.files().items() if "/nodes/" in name}
    assert not (tmp_path / "x").exists()


def test_only_a_keys_holder_speaks_of_it() -> None:
    """A proof holds for the node that made it, and for that key, alone."""
    claim = prove(key_from_seed(KEY.seed), "a" * 40, 7)

    assert KEY.address.lower() == claim.address
    assert [True, False] == [is_proven(claim, node) for node in ("a" * 40, "b" * 40)]


@given(
    st.lists(st.tuples(st.sampled_from(["A" * 40, "B" * 40]), st.integers(0, 1 << 63), st.floats(0, 4 * ALIVE))),
    st.integers(0, 1 << 40),
)
def test_claims_are_judged_whole(said: list[tuple[str, int, float]], own: int) -> None:
    """Only this key's claims count, an absurd one never, and whoever was there lately is a rival."""
    now = 1e9
    claims = [Claim(f"{n:040x}", f"n-{n}", *each[:2], now - each[2]) for n, each in enumerate(said)]

    found = judge(claims, "A" * 40, own, now)

    mine = [claim for claim in claims if claim.address == "A" * 40]
    sane = [claim.height for claim in mine if claim.height <= own + FAR]
    assert max(sane, default=0) == found.height
    assert len(mine) - len(sane) == len(found.absurd)
    assert any(now - claim.said_at < ALIVE for claim in mine) == (found.rival is not None)
