"""Evidence against a log: two histories are shown, and one history never is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.tiled_log import TiledLog
from tests.support.witnessed_log import LOG_KEY, SECOND_KEY, signed, two_histories
from zkwm_protocols.errors import InvalidLogProof, InvalidSignature, Malformed
from zkwm_protocols.merkle import leaf_hash
from zkwm_protocols.transparency.equivocation import (
    Equivocation,
    ProvenLeaf,
    make_equivocation,
)
from zkwm_protocols.transparency.note_keys import NoteSigningKey, SignatureType
from zkwm_protocols.transparency.tree import prove_inclusion

ENTRIES = [b"%d" % i for i in range(20)]
HONEST = TiledLog(ENTRIES)
FORKED = TiledLog([*ENTRIES[:7], b"another", *ENTRIES[8:]])
SHORT = TiledLog([*ENTRIES[:7], b"another", *ENTRIES[8:12]])
KEYS = [LOG_KEY.verifier, SECOND_KEY.verifier]


def leaf(log: TiledLog, index: int, entry: bytes) -> ProvenLeaf:
    return ProvenLeaf(leaf_hash(entry), tuple(prove_inclusion(index, log.size, log.hashes())))


def by_roots() -> Equivocation:
    return Equivocation(signed(HONEST), signed(FORKED, []))


def by_leaf() -> Equivocation:
    return two_histories()


@pytest.mark.parametrize("evidence", [by_roots(), by_leaf()], ids=["roots", "leaf"])
def test_two_histories_are_shown_to_anybody(evidence: Equivocation) -> None:
    read = Equivocation.from_bytes(evidence.to_bytes())
    assert read == evidence
    assert read.verify(KEYS) == KEYS[0]
    assert read.verify(KEYS[1:]) == KEYS[1]


def test_one_history_is_never_evidence() -> None:
    grown = TiledLog([*ENTRIES, b"more"])
    same = (leaf(HONEST, 7, ENTRIES[7]), leaf(grown, 7, ENTRIES[7]))
    for evidence in (
        Equivocation(signed(HONEST), signed(HONEST)),
        Equivocation(signed(HONEST), signed(grown)),
        Equivocation(signed(HONEST), signed(grown), 7, same),
        # Another leaf is claimed, and not proven.
        Equivocation(signed(HONEST), signed(grown), 7, (same[0], leaf(SHORT, 7, b"another"))),
        Equivocation(signed(HONEST), signed(grown), 7, (same[0], leaf(grown, 8, ENTRIES[8]))),
    ):
        with pytest.raises(InvalidLogProof):
            evidence.verify(KEYS)


def test_nobody_else_can_accuse_the_log() -> None:
    thief = NoteSigningKey(LOG_KEY.verifier.name, SignatureType.ED25519, b"t" * 32)
    with pytest.raises(InvalidLogProof):
        by_roots().verify([thief.verifier])
    with pytest.raises(InvalidLogProof):
        by_roots().verify([])
    other = replace(by_roots().second, signatures=by_roots().first.signatures)
    with pytest.raises(InvalidSignature):
        replace(by_roots(), second=other).verify(KEYS)
    moved = replace(by_roots().second.checkpoint, origin="other.example")
    with pytest.raises(InvalidLogProof):
        replace(by_roots(), second=replace(by_roots().second, checkpoint=moved)).verify(KEYS)
    # Each key signed one of them: two logs may share a name, and neither lied.
    apart = Equivocation(
        replace(by_roots().first, signatures=by_roots().first.signatures[:1]),
        replace(by_roots().second, signatures=by_roots().second.signatures[1:]),
    )
    with pytest.raises(InvalidLogProof):
        apart.verify(KEYS)


@given(st.integers(1, 60), st.integers(1, 60), st.data())
@settings(max_examples=40)
def test_evidence_is_found_for_any_fork_and_for_nothing_else(
    size: int, other: int, data: st.DataObject
) -> None:
    common = min(size, other)
    place = data.draw(st.integers(0, max(size, other)))
    entries = [b"%d" % i for i in range(max(size, other))]
    forked = [*entries[:place], b"another", *entries[place + 1 :]][:other]
    logs = TiledLog(entries[:size]), TiledLog(forked)
    checkpoints = [signed(log, []) for log in logs]
    if place < common:
        evidence = make_equivocation(*checkpoints, *(log.hashes() for log in logs))
        assert evidence.verify(KEYS) == KEYS[0]
        assert evidence.index == (None if size == other else place)
    else:
        with pytest.raises(InvalidLogProof):
            make_equivocation(*checkpoints, *(log.hashes() for log in logs))


def test_leaves_without_an_index_and_the_other_way_round_are_refused() -> None:
    for change in ({"index": None}, {"leaves": ()}, {"leaves": by_leaf().leaves[:1]}):
        with pytest.raises(Malformed):
            replace(by_leaf(), **change)
    with pytest.raises(InvalidLogProof):
        replace(by_leaf(), index=12).verify(KEYS)  # outside of the shorter tree
