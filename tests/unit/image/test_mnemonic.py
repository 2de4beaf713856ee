"""Telling a wallet's words from prose."""

from hypothesis import given
from hypothesis import strategies as st

from goldnode.image import mnemonic
from tests.image.violations import phrase

#: BIP39's own test vectors: entropy, words.
ZEROS = b"abandon " * 11 + b"about"
LEGAL = b"legal winner thank year wave sausage worth useful legal winner thank yellow"
PROSE = b"the quick brown fox jumps over the lazy dog and then it will sleep for the rest of the day " * 20


def test_the_standard_vectors_are_found_where_they_stand() -> None:
    """A phrase of the BIP39 specification is reported with its offset."""
    chunk = b"\0" * 100 + LEGAL + b"\n" + b"\xff" * 50 + ZEROS + b"\0"

    assert [(100, LEGAL), (100 + len(LEGAL) + 51, ZEROS)] == list(mnemonic.find(chunk))


def test_prose_is_no_mnemonic() -> None:
    """Lower-case English of any length is not reported."""
    assert [] == list(mnemonic.find(PROSE))


def test_a_wrong_checksum_is_no_mnemonic() -> None:
    """Twelve words of the list in any order are not a wallet."""
    assert [] == list(mnemonic.find(b"abandon " * 12))


def test_a_longer_list_of_words_is_no_mnemonic() -> None:
    """The word list itself, as wallets carry it, is not a wallet: one word per line."""
    assert [] == list(mnemonic.find(b"\n".join(mnemonic._index())))


def test_a_phrase_inside_a_sentence_is_found() -> None:
    """Words before and after do not hide it."""
    sentence = b"write this phrase on paper " + LEGAL + b" and keep it"

    assert [LEGAL] == [words for _, words in mnemonic.find(sentence)]


@given(entropy=st.binary(min_size=16, max_size=16) | st.binary(min_size=32, max_size=32), pad=st.integers(0, 40))
def test_every_phrase_is_found_at_every_alignment(entropy: bytes, pad: int) -> None:
    """Looking at every eighth byte only misses nothing."""
    words = phrase(entropy)

    assert [(pad, words)] == list(mnemonic.find(b"\0" * pad + words + b"\0"))
