"""challenge, prove and verify with the real argument, each in a process of its own."""

from __future__ import annotations

import pytest

from tests.support.argued import save_linear
from tests.support.case_files import Command, Files
from zkwm_protocols.argument_response import ArgumentResponse, read_response


@pytest.mark.slow
def test_a_mark_is_proven_without_opening_it(process: Command, case: Files) -> None:
    model, challenge = case.folder / "suspect.onnx", case.folder / "argued.challenge"
    save_linear(model, *case.triggers())
    asked = process(
        *("challenge", "--commitment", case.commitment, "--model", model, "--zero-knowledge"),
        *("--blocks", 3, "--judge", case.public, "--output", challenge),
    )
    assert asked.code == 0, asked.stderr
    proved = process(
        *case.prove_options(challenge=challenge), "--zero-knowledge", "--model", model, timeout=300
    )
    assert proved.code == 0, proved.stderr
    verify = case.verify_options(challenge=challenge, proof=case.folder / "new.proof", model=model)
    verified = process(*verify, "--json")
    assert verified.code == 0, verified.stderr
    assert verified.json["outcome"] == "proven"
    assert verified.json["argument"]["soundness_bits"] >= 120
    public = case.verify_options(
        challenge=challenge, proof=case.folder / "new.proof", model=model, judge=case.public
    )
    by_anybody = process(*public, "--json")
    assert by_anybody.code == 0, by_anybody.stderr
    assert by_anybody.json["checked_by"] == "public"
    assert by_anybody.json["evidence"] == verified.json["evidence"]
    proof = (case.folder / "new.proof").read_bytes()
    answer = read_response(proof)
    assert isinstance(answer, ArgumentResponse)
    images, _ = case.triggers()
    assert not any(image.tobytes() in proof for image in images)
    middle = len(proof) // 2
    (case.folder / "new.proof").write_bytes(
        proof[:middle] + bytes([proof[middle] ^ 1]) + proof[middle + 1 :]
    )
    damaged = process(*verify, "--json")
    assert damaged.code == 3
    assert damaged.json.get("outcome") == "could not be checked", damaged
