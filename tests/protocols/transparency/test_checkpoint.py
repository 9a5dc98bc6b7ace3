"""Checkpoints and cosignatures: published ones, and who signed what at which time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.witnessed_log import untimed
from zkwm_protocols.errors import InvalidSignature, Malformed, UsageError
from zkwm_protocols.transparency.checkpoint import (
    MAXIMUM_TIME,
    Checkpoint,
    SignedCheckpoint,
    sign_checkpoint,
)
from zkwm_protocols.transparency.note import MOST_SIGNATURES, NoteSignature
from zkwm_protocols.transparency.note_keys import NoteSigningKey, SignatureType
from zkwm_protocols.transparency.tree import MAXIMUM_SIZE, TreeHead

# C2SP tlog-cosignature, the example on top: a log's line, and a witness's with its time.
PUBLISHED = """example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==
"""  # noqa: E501
ORIGIN, WITNESS, TIME = "log.example/1", "witness.example/w", 1_700_000_000
LOG = NoteSigningKey(ORIGIN, SignatureType.ED25519, b"l" * 32)
SECOND = NoteSigningKey(ORIGIN, SignatureType.ML_DSA_44_COSIGNATURE, b"m" * 32)
COSIGNERS = [
    NoteSigningKey(WITNESS, SignatureType.ED25519_COSIGNATURE, b"w" * 32),
    NoteSigningKey(WITNESS, SignatureType.ML_DSA_44_COSIGNATURE, b"v" * 32),
    SECOND,
]
CHECKPOINT = Checkpoint(ORIGIN, TreeHead(7, bytes(range(32))))


def signed(checkpoint: Checkpoint = CHECKPOINT) -> SignedCheckpoint:
    lines = [sign_checkpoint(checkpoint, LOG)]
    lines += [sign_checkpoint(checkpoint, key, TIME) for key in COSIGNERS]
    return SignedCheckpoint(checkpoint, tuple(lines))


def test_the_published_checkpoint() -> None:
    found = SignedCheckpoint.from_bytes(PUBLISHED.encode())
    assert found.to_bytes() == PUBLISHED.encode()
    assert found.checkpoint.origin == "example.com/behind-the-sofa"
    assert found.checkpoint.head.size == 20_852_163
    assert found.checkpoint.head.root.hex().startswith("0ac5186a91863e8e")
    assert len(found.signatures[0].signature) == 64
    # The time in the example's signed message: "time 1679315147".
    assert int.from_bytes(found.signatures[1].signature[:8], "big") == 1_679_315_147
    assert len(found.signatures[1].signature) == 72


def test_who_signed_and_when() -> None:
    found = SignedCheckpoint.from_bytes(signed().to_bytes())
    assert found == signed_like(found)
    by_log = found.signed_by(LOG.verifier)
    assert by_log is not None
    assert by_log.time is None
    for key in COSIGNERS:
        by = found.signed_by(key.verifier)
        assert by is not None
        assert (by.key, by.time) == (key.verifier, TIME)
    stranger = NoteSigningKey(WITNESS, SignatureType.ED25519_COSIGNATURE, b"s" * 32)
    assert found.signed_by(stranger.verifier) is None


def signed_like(found: SignedCheckpoint) -> SignedCheckpoint:
    return SignedCheckpoint(Checkpoint.from_text(CHECKPOINT.text), found.signatures)


@pytest.mark.parametrize("key", [LOG, *COSIGNERS], ids=lambda key: key.verifier.signature_type.name)
@pytest.mark.parametrize(
    "other",
    [
        replace(CHECKPOINT, origin="log.example/2"),
        replace(CHECKPOINT, head=TreeHead(8, CHECKPOINT.head.root)),
        replace(CHECKPOINT, head=TreeHead(7, bytes(32))),
    ],
)
def test_a_signature_holds_for_one_checkpoint(key: NoteSigningKey, other: Checkpoint) -> None:
    with pytest.raises(InvalidSignature):
        SignedCheckpoint(other, signed().signatures).signed_by(key.verifier)


def test_extension_lines_are_signed_by_ed25519_and_not_by_ml_dsa() -> None:
    """C2SP tlog-cosignature: no statement of an ML-DSA-44 cosignature is about them."""
    more = replace(CHECKPOINT, extensions=("more",))
    moved = SignedCheckpoint(more, signed().signatures)
    for key in (LOG, COSIGNERS[0]):
        with pytest.raises(InvalidSignature):
            moved.signed_by(key.verifier)
    assert moved.signed_by(SECOND.verifier) is not None
    assert signed(more).signed_by(LOG.verifier) is not None


@pytest.mark.parametrize("key", COSIGNERS, ids=lambda key: key.verifier.signature_type.name)
def test_a_changed_time_does_not_verify(key: NoteSigningKey) -> None:
    line = sign_checkpoint(CHECKPOINT, key, TIME)
    for time in (0, TIME - 1, TIME + 1, MAXIMUM_TIME, MAXIMUM_TIME + 1, 2**64 - 1):
        changed = replace(line, signature=time.to_bytes(8, "big") + line.signature[8:])
        with pytest.raises(InvalidSignature):
            SignedCheckpoint(CHECKPOINT, (changed,)).signed_by(key.verifier)


def test_a_cosignature_of_the_future_counts_as_none() -> None:
    """Also beside one of the same key that is not; a line that does not verify voids the note."""
    found = signed()
    for key in COSIGNERS:
        assert found.signed_by(key.verifier, latest=TIME) is not None
        assert found.signed_by(key.verifier, latest=TIME - 1) is None
        later = sign_checkpoint(CHECKPOINT, key, TIME + 9_999)
        both = found.with_signatures([later]).signed_by(key.verifier, latest=TIME)
        assert both is not None
        assert both.time == TIME
        forged = replace(later, signature=later.signature[:-1] + b"!")
        with pytest.raises(InvalidSignature):
            found.with_signatures([forged]).signed_by(key.verifier, latest=TIME)


def test_a_line_of_one_type_is_none_of_another() -> None:
    """One Ed25519 key for two types: the id of a line tells them apart, and so does the message."""
    as_log = NoteSigningKey(ORIGIN, SignatureType.ED25519, b"w" * 32)
    as_witness = NoteSigningKey(ORIGIN, SignatureType.ED25519_COSIGNATURE, b"w" * 32)
    line = sign_checkpoint(CHECKPOINT, as_witness, TIME)
    assert SignedCheckpoint(CHECKPOINT, (line,)).signed_by(as_log.verifier) is None
    forged = replace(line, key_id=as_log.verifier.key_id, signature=line.signature[8:])
    with pytest.raises(InvalidSignature):
        SignedCheckpoint(CHECKPOINT, (forged,)).signed_by(as_log.verifier)


def test_ml_dsa_commits_to_the_cosigners_name() -> None:
    line = sign_checkpoint(CHECKPOINT, COSIGNERS[1], TIME)
    other = NoteSigningKey("witness.example/other", SignatureType.ML_DSA_44_COSIGNATURE, b"v" * 32)
    moved = NoteSignature(other.verifier.name, other.verifier.key_id, line.signature)
    with pytest.raises(InvalidSignature):
        SignedCheckpoint(CHECKPOINT, (moved,)).signed_by(other.verifier)


def test_repeated_lines_count_once_and_all_have_to_verify() -> None:
    key = COSIGNERS[0]
    lines = [sign_checkpoint(CHECKPOINT, key, time) for time in (TIME + 5, TIME, TIME)]
    by = SignedCheckpoint(CHECKPOINT, tuple(lines)).signed_by(key.verifier)
    assert by is not None
    assert by.time == TIME
    bad = replace(lines[0], signature=bytes(72))
    with pytest.raises(InvalidSignature):
        SignedCheckpoint(CHECKPOINT, (lines[0], bad)).signed_by(key.verifier)
    found = signed().with_signatures(signed().signatures[:2])
    assert len(found.signatures) == 4
    many = [NoteSignature("a", bytes([0, 0, 0, i]), b"x") for i in range(MOST_SIGNATURES)]
    with pytest.raises(Malformed):
        found.with_signatures(many)


def test_a_cosignature_without_a_time_says_nothing_about_time() -> None:
    """An ML-DSA-44 cosignature may have the time 0 (C2SP tlog-cosignature)."""
    key, line = SECOND.verifier, untimed(SECOND, CHECKPOINT)
    by = SignedCheckpoint(CHECKPOINT, (line,)).signed_by(key, latest=5)
    assert by is not None
    assert by.time is None


@pytest.mark.parametrize(
    "text",
    [
        "", "a\n", "a\n1\n", "a\n1\n\n", "\n1\n{root}\n", "a\n01\n{root}\n", "a\n+1\n{root}\n",
        "a\n-1\n{root}\n", "a\n1 \n{root}\n", "a\n\n{root}\n", "a\n1\n{root}", "a\n1\n{root}\n\n",
        "a\n1\n{root}\n\nx\n", "a\n1\nAAAA\n", "a\n1\n{root}=\n",
        "a\n9223372036854775808\n{root}\n",
        "a\n" + "9" * 5_000 + "\n{root}\n", "a\n\u0661\n{root}\n", "a\n0x1\n{root}\n",
        "a" * 256 + "\n1\n{root}\n", "a\n1\n{root}\n" + "x\n" * 17,
        "a\n1\n{root}\n" + "x" * 1_025 + "\n",
        "a\n1\n" + "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9=\n",
    ],
)  # fmt: skip
def test_other_texts_are_refused(text: str) -> None:
    root = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    with pytest.raises(Malformed):
        Checkpoint.from_text(text.replace("{root}", root))


def test_the_largest_checkpoint_is_read_back() -> None:
    large = Checkpoint("ä" * 127, TreeHead(MAXIMUM_SIZE, bytes(32)), ("x" * 1_024,) * 16)
    assert Checkpoint.from_text(large.text) == large
    for origin in ("", "a\nb", "a\rb", "\ud800", "a" * 256):
        with pytest.raises(Malformed):
            Checkpoint(origin, CHECKPOINT.head)


def test_signing_what_does_not_belong_to_the_key_is_refused() -> None:
    with pytest.raises(UsageError):
        sign_checkpoint(CHECKPOINT, LOG, TIME)
    for key in COSIGNERS:
        with pytest.raises(UsageError):
            sign_checkpoint(CHECKPOINT, key)
        with pytest.raises(Malformed):
            sign_checkpoint(CHECKPOINT, key, 0)
    with pytest.raises(UsageError):
        sign_checkpoint(replace(CHECKPOINT, origin="other.example"), LOG)
