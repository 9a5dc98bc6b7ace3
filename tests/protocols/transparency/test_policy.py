"""Policies: which texts are read, and which checkpoints satisfy them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.tiled_log import TiledLog
from tests.support.witnessed_log import (
    LOG_KEY,
    ORIGIN,
    POLICY,
    POLICY_TEXT,
    SECOND_KEY,
    TIME,
    WITNESSES,
    signed,
)
from zkwm_protocols.errors import InvalidLogProof, InvalidSignature, Malformed, Unsupported
from zkwm_protocols.transparency.checkpoint import (
    Checkpoint,
    SignedCheckpoint,
    sign_checkpoint,
)
from zkwm_protocols.transparency.note_keys import NoteSigningKey, SignatureType
from zkwm_protocols.transparency.policy import POLICY_LIMIT, LogPolicy

TREE = TiledLog([b"a", b"b", b"c"])
LOG, SECOND = LOG_KEY.verifier.to_text(), SECOND_KEY.verifier.to_text()
KEYS = [key.verifier.to_text() for key in WITNESSES]
LITEWITNESS = Path(__file__).parent / "litewitness-mldsa.txt"


def policy(*lines: str) -> LogPolicy:
    return LogPolicy.from_bytes(("\n".join(lines) + "\n").encode())


def witnesses(count: int) -> list[str]:
    return [f"witness w{i} {KEYS[i]}" for i in range(count)]


def test_the_policy_of_the_specifications_example() -> None:
    """C2SP tlog-policy: two of three X and any of three Y; here with real keys."""
    signers = [
        NoteSigningKey(f"{name}.example", SignatureType.ED25519_COSIGNATURE, bytes([i]) * 32)
        for i, name in enumerate(["x1", "x2", "x3", "y1", "y2", "y3"])
    ]
    texts = {key.verifier.name[:2].upper(): key.verifier.to_text() for key in signers}
    read = policy(
        f"log {LOG}", "", *(f"witness {name} {text}" for name, text in texts.items()),
        "group X-witnesses 2 X1 X2 X3", "group Y-witnesses any Y1 Y2 Y3",
        "group X-and-Y all X-witnesses Y-witnesses", "quorum X-and-Y",
    )  # fmt: skip
    for chosen, enough in (("X1 X2 Y1", True), ("X2 X3 Y3", True), ("X1 X2 X3", False),
                           ("X1 Y1 Y2 Y3", False), ("", False)):  # fmt: skip
        some = [key for key in signers if key.verifier.name[:2].upper() in chosen.split()]
        if enough:
            assert list(read.require(signed(TREE, some)).witnesses) == chosen.split()
        else:
            with pytest.raises(InvalidLogProof):
                read.require(signed(TREE, some))


def test_a_published_checkpoint_signed_by_ml_dsa_44() -> None:
    """Test data of litewitness (FiloSottile/torchwood, cmd/litewitness/testdata/mldsa.txt)."""
    key, _, note = LITEWITNESS.read_text(encoding="utf-8").partition("\n")
    read = policy(f"log {key}", "quorum none")
    found = SignedCheckpoint.from_bytes(note.encode())
    assert found.to_bytes() == note.encode()
    assert read.require(found).log.time is None
    head = replace(found.checkpoint.head, size=2)
    other = SignedCheckpoint(replace(found.checkpoint, head=head), found.signatures)
    with pytest.raises(InvalidSignature):
        read.require(other)


def test_who_signed_is_told() -> None:
    found = POLICY.require(signed(TREE), latest=TIME + 2)
    assert found.log.key == LOG_KEY.verifier
    assert [by.time for by in found.witnesses.values()] == [TIME, TIME + 1, TIME + 2]
    assert POLICY.logs[0].url == "https://log.example/1/"
    ahead = POLICY.require(signed(TREE), latest=TIME + 1)  # one of the future counts as none
    assert [by.time for by in ahead.witnesses.values()] == [TIME, TIME + 1]
    with pytest.raises(InvalidLogProof, match=r"of the future: two\.example, three\.example"):
        POLICY.require(signed(TREE), latest=TIME)


def test_a_log_whose_only_line_is_of_the_future_did_not_sign() -> None:
    """Its line of Ed25519 has no time, and is enough where the policy knows that key."""
    whole = signed(TREE)
    dated = replace(whole, signatures=whole.signatures[1:])
    assert POLICY.require(dated).log.key == SECOND_KEY.verifier
    with pytest.raises(InvalidLogProof, match=r"of the future: log\.example/1"):
        POLICY.require(dated, latest=TIME - 1)


def test_too_few_witnesses_and_repeated_ones_are_no_quorum() -> None:
    assert POLICY.require(signed(TREE, WITNESSES[:2]))
    once = signed(TREE, WITNESSES[:1])
    with pytest.raises(InvalidLogProof):
        POLICY.require(once)
    again = [sign_checkpoint(once.checkpoint, WITNESSES[0], TIME + i) for i in range(9)]
    with pytest.raises(InvalidLogProof):
        POLICY.require(once.with_signatures(again))


def test_one_bad_line_of_a_known_key_refuses_the_whole() -> None:
    good = signed(TREE)
    bad = replace(good.signatures[-1], signature=bytes(72))
    with pytest.raises(InvalidSignature):
        POLICY.require(SignedCheckpoint(good.checkpoint, (*good.signatures[:-1], bad)))
    unknown = replace(bad, name="unknown.example")
    assert POLICY.require(good.with_signatures([unknown]))


def test_the_log_has_to_sign_under_its_origin() -> None:
    checkpoint = Checkpoint("other.example", TREE.head())
    lines = [sign_checkpoint(checkpoint, SECOND_KEY, TIME)]
    lines += [sign_checkpoint(checkpoint, key, TIME) for key in WITNESSES]
    with pytest.raises(InvalidLogProof):
        POLICY.require(SignedCheckpoint(checkpoint, tuple(lines)))
    only_witnesses = SignedCheckpoint(signed(TREE).checkpoint, signed(TREE).signatures[2:])
    with pytest.raises(InvalidLogProof):
        POLICY.require(only_witnesses)


def test_either_key_of_a_log_is_enough_and_none_of_another() -> None:
    whole = signed(TREE, [])
    for text, at in ((LOG, 0), (SECOND, 1)):
        read = policy(f"log {text}", "quorum none")
        assert read.require(SignedCheckpoint(whole.checkpoint, whole.signatures[at : at + 1]))
        with pytest.raises(InvalidLogProof):
            read.require(SignedCheckpoint(whole.checkpoint, whole.signatures[1 - at : 2 - at]))
    with pytest.raises(InvalidLogProof):
        policy("quorum none").require(whole)


def test_spaces_comments_and_bytes_that_are_no_utf8() -> None:
    data = f" \t\n  # \xff\n\tlog\t {LOG} \t\nwitness \xff {KEYS[0]}\nquorum \xff\n"
    read = LogPolicy.from_bytes(data.encode("latin-1"))
    assert [one.name for one in read.witnesses] == ["\udcff"]
    assert read.require(signed(TREE, WITNESSES[:1]))
    kelvin = policy(f"witness K {KEYS[0]}", f"witness \u212a {KEYS[1]}", "quorum K")
    assert len(kelvin.witnesses) == 2  # the specification's example of two names


@pytest.mark.parametrize(
    "lines",
    [
        [], ["quorum none", "quorum none"], ["quorum"], ["quorum a b"], ["quorum w0"], ["log"],
        ["Quorum none"], ["quorum None"], ["other x", "quorum none"],
        [f"log {LOG} url more", "quorum none"], [f"log {LOG}", f"log {LOG}", "quorum none"],
        [f"log {KEYS[0]}", "quorum none"],  # a witness's type
        [f"witness a {LOG}", "quorum a"],  # a log's type
        [f"witness none {KEYS[0]}", "quorum none"],
        [f"witness a {KEYS[0]}", f"witness a {KEYS[1]}", "quorum a"],
        [f"witness a {KEYS[0]}", f"witness b {KEYS[0]}", "quorum a"],
        [f"log {SECOND}", f"witness a {SECOND}", "quorum a"],  # its own witness
        [*witnesses(1), "quorum w1"], ["quorum w0", *witnesses(1)],
        [*witnesses(2), "group g 0 w0 w1", "quorum g"],
        [*witnesses(2), "group g 3 w0 w1", "quorum g"],
        [*witnesses(2), "group g 01 w0 w1", "quorum g"],
        [*witnesses(2), "group g two w0 w1", "quorum g"],
        [*witnesses(2), "group g any", "quorum g"],
        [*witnesses(2), "group g any w0 w0", "quorum g"],
        [*witnesses(2), "group g any w0 none", "quorum g"],
        [*witnesses(2), "group g any g", "quorum g"],
        [*witnesses(2), "group g any w2", "quorum g"],
        [*witnesses(2), "group w0 any w1", "quorum w0"],
        [*witnesses(2), "group g any w0", "group h any w0", "quorum g"],
        ["quorum none\r"], ["\0", "quorum none"], ["#\x7f", "quorum none"],
        ["log a+00000000+AQ==", "quorum none"], ["log x", "quorum none"],
        [*(f"log {LOG}" for _ in range(70)), "quorum none"],
    ],
)  # fmt: skip
def test_other_texts_are_refused(lines: list[str]) -> None:
    with pytest.raises(Malformed):
        policy(*lines)


def test_one_key_under_two_names_counts_as_twice_the_same() -> None:
    """A vkey with another name wraps the same key: it would count twice for a quorum."""
    other = NoteSigningKey("another.example", SignatureType.ED25519_COSIGNATURE, b"1" * 32)
    with pytest.raises(Malformed):
        policy(*witnesses(1), f"witness b {other.verifier.to_text()}", "quorum b")


def test_limits_and_unknown_types() -> None:
    with pytest.raises(Malformed):
        LogPolicy.from_bytes(b"#" * POLICY_LIMIT + b"\nquorum none\n")
    with pytest.raises(Malformed):
        LogPolicy.from_bytes(b"quorum none")
    with pytest.raises(Unsupported):
        policy("log a+00000000+Ag==", "quorum none")
    with pytest.raises(Malformed, match="line 2"):
        policy("quorum none", "quorum none")
    assert LogPolicy.from_bytes(POLICY_TEXT.encode()) == POLICY
    assert POLICY.logs[0].key.name == ORIGIN
    many = [NoteSigningKey(f"w{i}", SignatureType.ED25519_COSIGNATURE, bytes([i]) * 32)
            for i in range(32)]  # fmt: skip
    names = " ".join(f"w{i}" for i in range(32))
    lines = [f"witness w{i} {key.verifier.to_text()}" for i, key in enumerate(many)]
    assert len(policy(*lines, f"group all-of-them all {names}", "quorum all-of-them").groups) == 1


def test_two_keys_of_one_witness_never_count_as_two() -> None:
    types = (SignatureType.ED25519_COSIGNATURE, SignatureType.ML_DSA_44_COSIGNATURE)
    lines = [f"log {LOG}"]
    for number in range(2):
        for letter, kind in zip("am", types, strict=True):
            key = NoteSigningKey(f"w{number}.example", kind, bytes([number + 1]) * 32)
            lines.append(f"witness {letter}{number} {key.verifier.to_text()}")
    joined = ["group g0 all a0 m0", "group g1 any a1 m1"]
    assert policy(*lines, *joined, "group g 2 g0 g1", "quorum g").quorum == "g"
    assert policy(*lines, "group g all a0 m0 a1 m1", "quorum g").quorum == "g"
    for groups in (
        ["group g 2 a0 m0 a1 m1"],
        ["group g 2 a0 m0 a1"],
        [joined[0], "group g 2 g0 a1 m1"],
        [joined[0], "group x any a1", "group y any m1", "group g 2 x y"],
        [joined[0], "group g 2 g0 a1"],
    ):
        with pytest.raises(Malformed, match="would count as 2 witnesses"):
            policy(*lines, *groups, "quorum g")
