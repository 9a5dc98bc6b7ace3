"""add-checkpoint: the specification's bodies, and each answer of a witness."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from tests.support.tiled_log import TiledLog
from tests.support.witnessed_log import LOG_KEY, SECOND_KEY, TIME, WITNESSES, signed, untimed
from zkwm_protocols.errors import InvalidSignature, Malformed
from zkwm_protocols.transparency.checkpoint import SignedCheckpoint, sign_checkpoint
from zkwm_protocols.transparency.note_keys import NoteSigningKey, SignatureType, VerifierKey
from zkwm_protocols.transparency.tree import TreeHead, prove_consistency
from zkwm_protocols.transparency.witness import (
    EMPTY_TREE,
    AddCheckpoint,
    Status,
    WitnessRefusedError,
    read_answer,
    read_size,
    write_answer,
)

# C2SP tlog-witness, the example of a request's body.
REQUEST = """old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— example.com/behind-the-sofa opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=
"""  # noqa: E501
KEYS = [LOG_KEY.verifier, SECOND_KEY.verifier]
ENTRIES = [b"%d" % i for i in range(40)]
OLD, NEW = TiledLog(ENTRIES[:23]), TiledLog(ENTRIES)


def request(old: int = 23) -> AddCheckpoint:
    proof = tuple(prove_consistency(old, NEW.size, NEW.hashes()))
    return AddCheckpoint(old, proof, signed(NEW, []))


def answer(
    asked: AddCheckpoint, known: TreeHead | None = None, keys: Sequence[VerifierKey] = KEYS
) -> Status:
    try:
        asked.require_acceptable(keys, OLD.head() if known is None else known)
    except WitnessRefusedError as error:
        return error.status
    return Status.COSIGNED


def test_the_specifications_request() -> None:
    read = AddCheckpoint.from_bytes(REQUEST.encode())
    assert read.to_bytes() == REQUEST.encode()
    assert (read.old_size, len(read.proof)) == (20_852_014, 4)
    assert len(read.checkpoint.signatures) == 2


def test_a_good_request_is_accepted_from_every_size() -> None:
    assert answer(request()) == Status.COSIGNED
    assert answer(request(0), EMPTY_TREE) == Status.COSIGNED
    assert answer(request(40), NEW.head()) == Status.COSIGNED
    good = request()
    assert AddCheckpoint.from_bytes(good.to_bytes()) == good


def test_every_refusal_of_the_protocol() -> None:
    good = request()
    assert answer(good, keys=[]) == Status.UNKNOWN_LOG
    stranger = NoteSigningKey(LOG_KEY.verifier.name, SignatureType.ED25519, b"?" * 32)
    assert answer(good, keys=[stranger.verifier]) == Status.UNTRUSTED_KEY
    first, *others = good.checkpoint.signatures
    bad = SignedCheckpoint(
        good.checkpoint.checkpoint, (replace(first, signature=bytes(64)), *others)
    )
    assert answer(replace(good, checkpoint=bad)) == Status.UNTRUSTED_KEY
    assert answer(replace(good, old_size=41)) == Status.BAD_REQUEST
    assert answer(request(22)) == Status.OTHER_SIZE
    assert answer(request(0)) == Status.OTHER_SIZE
    assert answer(good, EMPTY_TREE) == Status.OTHER_SIZE
    for proof in (good.proof[:-1], (), good.proof[::-1]):
        assert answer(replace(good, proof=proof)) == Status.INCONSISTENT
    assert answer(good, TreeHead(23, bytes(32))) == Status.INCONSISTENT
    assert answer(request(40), TreeHead(40, bytes(32))) == Status.INCONSISTENT
    assert answer(replace(request(0), proof=good.proof), EMPTY_TREE) == Status.INCONSISTENT


def test_a_checkpoint_of_no_leaves_has_the_root_of_none() -> None:
    empty = TiledLog()
    assert answer(AddCheckpoint(0, (), signed(empty, [])), EMPTY_TREE) == Status.COSIGNED
    checkpoint = replace(signed(empty, []).checkpoint, head=TreeHead(0, bytes(32)))
    other = SignedCheckpoint(checkpoint, (sign_checkpoint(checkpoint, LOG_KEY),))
    assert answer(AddCheckpoint(0, (), other), EMPTY_TREE) == Status.INCONSISTENT


def test_the_answer_409_has_the_size() -> None:
    with pytest.raises(WitnessRefusedError) as refused:
        request(22).require_acceptable(KEYS, OLD.head())
    assert refused.value.body == b"23\n"
    assert read_size(b"23\n") == 23
    for wrong in (b"23", b"023\n", b"", b"\n", b"23\n\n", b"-1\n", b"2 3\n", b"9" * 70 + b"\n"):
        with pytest.raises(Malformed):
            read_size(wrong)


def test_the_answer_200_has_cosignatures() -> None:
    checkpoint = request().checkpoint.checkpoint
    lines = [sign_checkpoint(checkpoint, key, TIME) for key in WITNESSES]
    known = [key.verifier for key in WITNESSES[:2]]
    body = write_answer(lines)
    assert read_answer(body, checkpoint, known) == lines[:2]
    assert read_answer(body, checkpoint, []) == []
    with pytest.raises(InvalidSignature):
        read_answer(body, replace(checkpoint, head=OLD.head()), known)
    with pytest.raises(InvalidSignature):
        read_answer(write_answer([untimed(WITNESSES[1], checkpoint)]), checkpoint, known)
    for wrong in (b"", b"\n", body[:-1], body + b"\n", body.replace(b"\n", b"\r\n"), b"x\n"):
        with pytest.raises(Malformed):
            read_answer(wrong, checkpoint, known)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("old 23", "old 023"), ("old 23", "old"), ("old 23\n", ""), ("old 23", "OLD 23"),
        ("old 23", "old 9223372036854775808"), ("old 23", "old 23\nAAAA"), ("\n\n", "\n"),
        ("\n\n", "\n\n\n"), ("\n", "\r\n"), ("old 23", "old 23\n" + ("A" * 43 + "=\n") * 64),
        ("old 23", "x" * 300_000),
    ],
)  # fmt: skip
def test_other_spellings_are_refused(old: str, new: str) -> None:
    text = request().to_bytes().decode()
    assert old in text
    with pytest.raises(Malformed):
        AddCheckpoint.from_bytes(text.replace(old, new, 1 if old != "\n" else -1).encode())
