"""Small files that would cost a judge, or an owner, hours or gigabytes.

Byte-level mutations of each format are in tests/protocols; hostile graphs in tests/zkwm/suspects.
"""

from __future__ import annotations

import os
import time
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.dispute import Claimant, TableSuspect, failed, marked, random_images, verdict_of
from zkwm.judge.judge import Judge
from zkwm.suspects import open_suspect
from zkwm.suspects.onnx_parts import read_whole
from zkwm_protocols import merkle
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.encoding import encode
from zkwm_protocols.errors import CouldNotCheck, SuspectUnusable, UsageError, ZkwmError
from zkwm_protocols.policy import Policy


def largest(accuser: Claimant, **fields: Any) -> Commitment:
    """A signed commitment of 100,000 leaves, and whatever else its header says."""
    leaves = tuple(number.to_bytes(32, "big") for number in range(100_000))
    header = replace(
        accuser.commitment.header, leaf_count=100_000, root=merkle.root(leaves), **fields
    )
    (key,) = accuser.keys
    return Commitment(header, leaves, (key.sign("commitment", header.digest),))


def test_an_unreachable_threshold_is_refused_at_once(judge: Judge, owner: Claimant) -> None:
    """The smallest size that could reach it is looked for among 100,000 blocks, in no time."""
    commitment = largest(owner, block_size=1, class_count=2)
    start = time.process_time()
    with pytest.raises(UsageError) as caught:
        judge.challenge(commitment, TableSuspect(), reveal=50, policy=Policy(threshold_bits=10_000))
    assert caught.value.check == "challenge.reachable"
    assert time.process_time() - start < 10


def test_the_largest_assessment_is_quick(judge: Judge, owner: Claimant) -> None:
    """10,000 triggers of 65,535 classes, all missing."""
    commitment = largest(owner, block_size=10_000, class_count=65_535, shape=(1, 1, 1))
    suspect = TableSuspect(outputs=65_535, shape=(1, 1, 1))
    challenge = judge.challenge(commitment, suspect, reveal=10_000)
    empty = {"block": 0, "triggers": [None] * 10_000}
    holder = Claimant(random_images(1), block_size=1, keys=owner.keys)
    holder.commitment = commitment
    proof = holder.answer(challenge, [], plaintext={"blocks": [empty]}, named_blocks=(0,))
    start = time.process_time()
    verdict = verdict_of(lambda: judge.verify(commitment, suspect, challenge, proof))
    assert verdict.outcome == "not proven"
    assert time.process_time() - start < 20


def test_more_triggers_than_one_assessment_takes_are_refused(judge: Judge, owner: Claimant) -> None:
    commitment = largest(owner, block_size=50)
    with pytest.raises(UsageError) as caught:
        judge.challenge(commitment, TableSuspect(), reveal=50_000)
    assert caught.value.check == "challenge.reachable"


def test_a_header_of_the_largest_images_allocates_none(judge: Judge, owner: Claimant) -> None:
    """2^24 values an image, announced and not sent."""
    shape = (1, 4096, 4096)
    commitment = replace(owner.commitment, header=replace(owner.commitment.header, shape=shape))
    (key,) = owner.keys
    commitment = replace(commitment, signatures=(key.sign("commitment", commitment.header.digest),))
    suspect = TableSuspect(shape=shape, remote=True, kind="http")
    challenge = judge.challenge(commitment, suspect, reveal=50)
    holder = Claimant(random_images(50), keys=owner.keys)
    holder.commitment = commitment
    empty = {"block": 0, "triggers": [None] * 50}
    proof = holder.answer(challenge, [], plaintext={"blocks": [empty]}, named_blocks=(0,))
    files = commitment.to_bytes(), challenge.to_bytes(), proof.to_bytes()
    assert sum(map(len, files)) < 20_000
    tracemalloc.start()
    try:
        verdict = verdict_of(lambda: judge.verify(files[0], suspect, files[1], files[2]))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert verdict.outcome == "not proven"
    assert peak < 10 * 2**20


@pytest.mark.parametrize(
    "value",
    [
        {},
        [],
        None,
        0,
        b"",
        {"challenge": b"", "blocks": []},
        {"challenge": bytes(32), "blocks": [{}]},
        {"challenge": None, "blocks": [None]},
        [[[[[[[[]]]]]]]],
    ],
)
def test_anything_at_all_inside_the_sealed_box_ends_in_a_verdict(
    judge: Judge, owner: Claimant, value: Any
) -> None:
    from zkwm_protocols.sealing import seal

    suspect = marked(owner.images, owner.labels)
    challenge = judge.challenge(owner.commitment, suspect, reveal=50)
    boxes = [seal(encode(value), judge.public.box), seal(b"", judge.public.box), b"", bytes(48)]
    for box in boxes:
        proof = owner.answer(challenge, [0], sealed=box)
        verdict = verdict_of(
            lambda proof=proof: judge.verify(owner.commitment, suspect, challenge, proof)
        )
        assert failed(verdict)[0] in ("opening.sealed", "opening.format")


@pytest.mark.parametrize("which", [0, 1, 2])
@pytest.mark.parametrize("junk", [b"", b"\n", b"zkwm-", b"zkwm-proof/1\n", b"\xff" * 1000])
def test_junk_in_the_place_of_a_file_ends_in_a_verdict(
    judge: Judge, owner: Claimant, which: int, junk: bytes
) -> None:
    suspect = marked(owner.images, owner.labels)
    challenge = judge.challenge(owner.commitment, suspect, reveal=50)
    files: list[Any] = [owner.commitment, challenge, owner.answer(challenge, [0])]
    files[which] = junk
    verdict = verdict_of(lambda: judge.verify(files[0], suspect, files[1], files[2]))
    assert verdict.outcome == "could not be checked"
    assert failed(verdict) == [("commitment", "challenge", "response")[which] + ".format"]


def test_a_model_of_a_huge_fixed_batch_is_refused(tmp_path: Path) -> None:
    """256 copies of a large image would be 17 GB in the judge's own process."""
    onnx = pytest.importorskip("onnx")
    helper = onnx.helper
    graph = helper.make_graph(
        [
            helper.make_node("GlobalAveragePool", ["x"], ["p"]),
            helper.make_node("Flatten", ["p"], ["f"]),
            helper.make_node("Concat", ["f", "f"], ["y"], axis=1),
        ],
        "suspect",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, (256, 1, "h", "w"))],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, (256, 2))],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    open_suspect(tmp_path / "model.onnx", shape=(1, 28, 28)).close()
    tracemalloc.start()
    try:
        with pytest.raises(SuspectUnusable) as caught:
            open_suspect(tmp_path / "model.onnx", shape=(1, 4096, 4096))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert "256" in str(caught.value)
    assert peak < 64 * 2**20


def test_a_hostile_challenge_does_not_hold_up_an_owner(judge: Judge) -> None:
    """What a judge may write into a challenge: the owner's check of it is quick or refuses."""
    owner = Claimant(random_images(1000), block_size=1)
    suspect = TableSuspect(outputs=1_000_000)
    honest = judge.challenge(owner.commitment, suspect, reveal=1000)
    hostile: dict[str, dict[str, Any]] = {
        "threshold": {"policy": Policy(threshold_bits=10_000)},
        "functions": {"policy": Policy(functions_tried=1_000_000_000)},
        "choices": {"policy": Policy(owner_choice_bits=10_000_000)},
        "blocks": {"block_count": 100_000},
        "excluded": {"excluded_blocks": tuple(range(100_000))},
        "map": {"class_map": tuple(range(65_535))},
    }
    for what, changes in hostile.items():
        challenge = replace(honest, **changes).signed_by(judge.key.signing)
        start = time.process_time()
        try:
            read = Challenge.from_bytes(challenge.to_bytes())
            read.verify_signature()
            read.verify_against(owner.commitment)
        except ZkwmError as error:
            assert error.check.startswith("challenge."), what  # noqa: PT017
        assert time.process_time() - start < 5, what


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_suspect_that_is_a_pipe_keeps_no_judge_waiting(tmp_path: Path) -> None:
    """Nobody writes to it: whoever opens it as a file would wait for ever."""
    pipe = tmp_path / "model.onnx"
    os.mkfifo(pipe)
    for opened in (lambda: open_suspect(pipe, shape=(1, 8, 8)), lambda: read_whole(pipe)):
        with pytest.raises(CouldNotCheck, match="not a regular file"):
            opened()
