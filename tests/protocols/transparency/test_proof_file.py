"""The ``.tlog-proof`` of an entry: one spelling, and what it takes to believe it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.tiled_log import TiledLog
from tests.support.witnessed_log import POLICY, TIME, WITNESSES, proof_of, signed
from zkwm_protocols.errors import InvalidLogProof, InvalidSignature, Malformed
from zkwm_protocols.merkle import leaf_hash
from zkwm_protocols.transparency.note import to_base64
from zkwm_protocols.transparency.proof_file import LONGEST_EXTRA, ProofFile

ENTRIES = [b"entry %d" % i for i in range(300)]
LOG = TiledLog(ENTRIES)
PROOF = proof_of(LOG, 271)


def test_an_entry_is_proven_offline() -> None:
    read = ProofFile.from_bytes(PROOF.to_bytes())
    assert read == PROOF
    witnessed = read.verify(leaf_hash(ENTRIES[271]), POLICY, latest=TIME + 2)
    assert list(witnessed.witnesses) == ["w0", "w1", "w2"]
    text = PROOF.to_bytes().decode()
    assert text.startswith("c2sp.org/tlog-proof@v1\nindex 271\n")
    assert text.count("\n\n") == 2


def test_bytes_beside_the_proof_come_along_unsigned() -> None:
    for extra in (b"", b"context", bytes(LONGEST_EXTRA)):
        with_extra = replace(PROOF, extra=extra)
        assert ProofFile.from_bytes(with_extra.to_bytes()) == with_extra
    with pytest.raises(Malformed):
        replace(PROOF, extra=bytes(LONGEST_EXTRA + 1))


def test_another_entry_place_or_tree_is_refused() -> None:
    leaf = leaf_hash(ENTRIES[271])
    for wrong in (
        replace(PROOF, index=270),
        replace(PROOF, proof=PROOF.proof[:-1]),
        replace(PROOF, proof=proof_of(LOG, 270).proof),
        replace(PROOF, checkpoint=signed(TiledLog(ENTRIES[:299]))),
        replace(PROOF, checkpoint=signed(LOG, WITNESSES[:1])),
    ):
        with pytest.raises(InvalidLogProof):
            wrong.verify(leaf, POLICY)
    with pytest.raises(InvalidLogProof):
        PROOF.verify(leaf_hash(ENTRIES[270]), POLICY)
    with pytest.raises(InvalidLogProof):
        PROOF.verify(leaf, POLICY, latest=TIME)
    with pytest.raises(Malformed):
        replace(PROOF, index=300).verify(leaf, POLICY)
    moved = replace(PROOF.checkpoint.checkpoint, head=TiledLog(ENTRIES[:299]).head())
    with pytest.raises(InvalidSignature):
        replace(PROOF, checkpoint=replace(PROOF.checkpoint, checkpoint=moved)).verify(leaf, POLICY)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("@v1", "@v2"), ("c2sp.org", "C2SP.org"), ("index 271", "index 0271"),
        ("index 271", "index -1"), ("index 271", "index 9223372036854775808"),
        ("index 271", "Index 271"), ("index 271\n", ""), ("index 271", "index  271"),
        ("index 271", "extra \nextra \nindex 271"), ("index 271", "extra eA\nindex 271"),
        ("index 271", "index 271\nextra eA=="), ("index 271", "index 271\nAAAA"),
        ("index 271", "index 271\n" + f"{to_base64(bytes(32))}\n" * 63 + to_base64(bytes(32))),
        ("\n\n", "\n"), ("\n\n", "\n\n\n"), ("\n", "\r\n"), ("log.example/1\n", "\n"),
    ],
)  # fmt: skip
def test_other_spellings_are_refused(old: str, new: str) -> None:
    text = PROOF.to_bytes().decode()
    assert old in text
    with pytest.raises(Malformed):
        ProofFile.from_bytes(text.replace(old, new, 1 if old != "\n" else -1).encode())


def test_cut_and_lengthened_files_are_refused() -> None:
    data = PROOF.to_bytes()
    for wrong in (data[:-1], data + b"\n", data + b"x", b"", b"\n\n", b"x" * 500_000):
        with pytest.raises(Malformed):
            ProofFile.from_bytes(wrong)
