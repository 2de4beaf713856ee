"""Every case in which a validator's key may be used, and every one in which it may not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from goldnode.config.choices import ConsensusKey
from goldnode.errors import SafetyError
from goldnode.node.keys.key_rules import Evidence, KeyRecord, Verdict, decide
from goldnode.node.keys.signing_state import UNUSED, SigningState

KEY = "AB" * 20
USED = KeyRecord(KEY, used=True, height=10, step=3)
READY = Evidence(ConsensusKey.GENERATE, KEY, SigningState(10, 0, 3), USED)
NOTHING = Evidence(ConsensusKey.GENERATE, None, None, None)
BROUGHT = Evidence(ConsensusKey.EXISTING, KEY, SigningState(10, 0, 3), None)


@pytest.mark.parametrize(
    ("evidence", "verdict"),
    [
        (READY, Verdict.READY),
        (replace(READY, state=SigningState(11, 0, 1)), Verdict.READY),
        (replace(READY, wanted=ConsensusKey.EXISTING), Verdict.READY),
        (replace(READY, seen_height=10), Verdict.READY),
        (NOTHING, Verdict.GENERATE),
        (replace(NOTHING, state=UNUSED, record=KeyRecord(KEY)), Verdict.GENERATE),
        (replace(NOTHING, wanted=ConsensusKey.EXISTING), Verdict.WAIT),
        (replace(NOTHING, wanted=ConsensusKey.REMOTE_SIGNER), Verdict.REMOTE),
        (replace(READY, state=None, record=KeyRecord(KEY)), Verdict.COMPLETE),
        (BROUGHT, Verdict.ADOPT),
    ],
)
def test_allowed(evidence: Evidence, verdict: Verdict) -> None:
    """What may be done, case by case."""
    assert verdict is decide(evidence)


@pytest.mark.parametrize(
    ("evidence", "said"),
    [
        (replace(READY, handing_over=True), "handed over"),
        (replace(READY, wanted=ConsensusKey.REMOTE_SIGNER), "both could sign"),
        (replace(NOTHING, wanted=ConsensusKey.REMOTE_SIGNER, record=USED), "both could sign"),
        (replace(READY, record=replace(USED, exported=True)), "exported"),
        (replace(READY, address=None), "is gone"),
        (replace(NOTHING, state=SigningState(1)), "no consensus key"),
        (replace(BROUGHT, wanted=ConsensusKey.GENERATE), "did not make"),
        (replace(BROUGHT, state=None), "without its signing state"),
        (replace(BROUGHT, state=UNUSED), "nothing confirms"),
        (replace(BROUGHT, seen_height=11), "signed with this key at 11"),
        (replace(READY, address="CD" * 20), "but this node's is"),
        (replace(READY, state=None), "signing state is gone"),
        (replace(READY, state=None, record=KeyRecord(KEY), seen_height=1), "signing state is gone"),
        (replace(READY, state=SigningState(10, 0, 2)), "rolled back"),
        (replace(READY, state=UNUSED), "rolled back"),
        (replace(READY, seen_height=11), "signed with this key at 11"),
    ],
)
def test_refused(evidence: Evidence, said: str) -> None:
    """What must not be done, case by case, with a hint each."""
    with pytest.raises(SafetyError, match=said) as caught:
        decide(evidence)

    assert caught.value.hint
