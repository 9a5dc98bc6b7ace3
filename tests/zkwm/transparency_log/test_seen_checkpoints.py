"""What a client has seen: two trees are never swallowed, also not by two processes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from zkwm.transparency_log.client import LogClient
from zkwm.transparency_log.http_client import Answer, HttpClient
from zkwm.transparency_log.seen_checkpoints import SeenCheckpoints, TwoTreesError
from zkwm.transparency_log.tree_key import KeyKind, TreeKey
from zkwm_protocols.merkle import leaf_hash, node_hash
from zkwm_protocols.transparency.checkpoint import SignedCheckpoint
from zkwm_protocols.transparency.policy import LogPolicy
from zkwm_protocols.transparency.proof_file import ProofFile
from zkwm_protocols.transparency.tree import TreeHead

KEY = TreeKey.generate(KeyKind.LOG, "log.example/1")
POLICY = LogPolicy.from_bytes(f"log {KEY.verifiers[0].to_text()}\nquorum none\n".encode())
A, B, OTHER = (leaf_hash(one) for one in (b"a", b"b", b"other"))
FIRST = KEY.sign(TreeHead(1, A))
VIEW = KEY.sign(TreeHead(2, node_hash(A, B)))
OTHER_VIEW = KEY.sign(TreeHead(2, node_hash(A, OTHER)))


def never(_: int, __: int) -> Sequence[bytes]:
    raise AssertionError("no proof is needed here")


def test_a_view_that_another_process_kept_meanwhile_is_compared(tmp_path: Path) -> None:
    """While this process asks for its proof, another one is shown, and keeps, another tree."""
    seen = SeenCheckpoints(tmp_path)
    seen.compare(FIRST, KEY.verifiers, never)

    def prove(_: int, __: int) -> Sequence[bytes]:
        SeenCheckpoints(tmp_path).compare(OTHER_VIEW, KEY.verifiers, lambda *_: [OTHER])
        return [B]

    with pytest.raises(TwoTreesError, match="two different trees of size 2"):
        seen.compare(VIEW, KEY.verifiers, prove)
    assert seen.newest(KEY.origin) == OTHER_VIEW
    assert len(list(tmp_path.glob("*.equivocation"))) == 1


def test_a_registration_that_shows_two_trees_fails_at_once_and_names_the_evidence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log shows another tree first, and the one that was seen when it is asked again."""
    seen = SeenCheckpoints(tmp_path)
    seen.compare(VIEW, KEY.verifiers, never)
    proofs = [
        ProofFile(0, (sibling,), SignedCheckpoint.from_bytes(view)).to_bytes().decode()
        for sibling, view in ((OTHER, OTHER_VIEW), (B, VIEW))
    ]

    def ask(*_: object, **__: object) -> Answer:
        body = {"proof": proofs.pop(0), "receipt": ""}
        return Answer(201, "application/json", json.dumps(body).encode())

    monkeypatch.setattr(HttpClient, "ask", ask)
    with pytest.raises(TwoTreesError) as caught:
        LogClient("http://127.0.0.1:9", POLICY, seen).register(b"a", wait_seconds=5)
    assert len(proofs) == 1  # it was not asked again
    assert str(next(tmp_path.glob("*.equivocation"))) in caught.value.hint
