"""The procedures of SPEC.md section 9: every check, in its order, with what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.reference import commitment as commitments
from tests.reference import evidence as evidences
from tests.reference import exchange
from tests.reference.cbor import RejectedError
from tests.reference.signatures import check_signature, unseal

CHECKS = (
    "commitment.format", "commitment.root", "commitment.class_names", "commitment.signature",
    "commitment.timestamp",
    "challenge.format", "challenge.signature", "challenge.judge", "challenge.commitment",
    "challenge.class_map", "challenge.suspect", "challenge.reachable",
    "response.format", "response.signature", "response.challenge", "response.blocks",
    "opening.sealed", "opening.format", "opening.leaves", "opening.labels",
    "suspect.answers", "evidence.threshold",
)  # fmt: skip
BY_NAME = ("torchserve", "huggingface", "template")
GOES_ON = ("opening.leaves", "opening.labels")
MAXIMUM_TRIGGERS = 10_000
Answers = Callable[[list[bytes]], list[int | None]]


@dataclass(frozen=True)
class Opened:
    """One trigger of an opened block; ``pixels`` is None where it counts as a miss."""

    block: int
    index: int
    label: int | None
    pixels: bytes | None


@dataclass
class Examination:
    """What came of each check (``passed``, ``failed`` or ``skipped``), and what was opened."""

    results: dict[str, str] = field(default_factory=dict)
    opened: list[Opened] = field(default_factory=list)
    matches: int | None = None
    evidence: int | None = None

    @property
    def first_failed(self) -> str | None:
        """The first check that failed and is more than a miss; None when all went well."""
        failed = [name for name, result in self.results.items() if result == "failed"]
        return next((name for name in failed if name != "opening.leaves"), None)


def examine(
    commitment: bytes,
    challenge: bytes | None = None,
    proof: bytes | None = None,
    *,
    judge: dict[str, Any] | None = None,
    box_secret: bytes = bytes(32),
    suspect: dict[str, Any] | None = None,
    answers: Answers | None = None,
    seed: Callable[[bytes], bytes] = commitments.label_seed,
) -> Examination:
    """Run the checks of section 9 as far as the arguments go.

    ``judge`` is the map of this judge's public keys, ``suspect`` the map of the model at hand,
    ``answers`` asks it. Checks whose argument is missing are skipped.
    """
    examination = Examination()
    walk = _Walk(
        commitment, challenge, proof, judge, box_secret, suspect, answers, seed, examination
    )
    stopped = False
    for name in CHECKS:
        examination.results[name] = "skipped"
        check = getattr(walk, name.replace(".", "_"))
        if stopped:
            continue
        try:
            if check():
                examination.results[name] = "passed"
        except RejectedError:
            examination.results[name] = "failed"
            stopped = name not in GOES_ON
        if name == "challenge.reachable" and not stopped and walk.trusts_somebody():
            examination.results["commitment.timestamp"] = "failed"  # nobody is trusted here (8.5)
            stopped = True
    return examination


@dataclass
class _Walk:
    commitment_file: bytes
    challenge_file: bytes | None
    proof_file: bytes | None
    judge: dict[str, Any] | None
    box_secret: bytes
    suspect: dict[str, Any] | None
    answers: Answers | None
    seed: Callable[[bytes], bytes]
    examination: Examination
    missing: int = 0

    def commitment_format(self) -> bool:
        self.commitment = commitments.read_commitment(self.commitment_file)
        self.head = self.commitment["head"]
        self.block_count = self.head["leaf_count"] // self.head["block_size"]
        leaves = self.commitment["leaves"]
        self.leaves = [leaves[i : i + 32] for i in range(0, len(leaves), 32)]
        return True

    def commitment_root(self) -> bool:
        return _demand(commitments.root(self.leaves) == self.head["root"])

    def commitment_class_names(self) -> bool:
        names, signed = self.commitment["class_names"], self.head["class_names"]
        if names is None:
            return _demand(signed is None)
        _demand(len(names) == self.head["class_count"])
        return _demand(commitments.names_digest(names) == signed)

    def commitment_signature(self) -> bool:
        _demand(len(self.commitment["signatures"]) == len(self.head["owner_keys"]))
        for key, signature in zip(
            self.head["owner_keys"], self.commitment["signatures"], strict=True
        ):
            check_signature(key, "commitment", self.commitment["digest"], signature)
        return True

    def commitment_timestamp(self) -> bool:
        _demand(self.head["timestamp_authority"] is None)
        return False  # nobody dates it

    def challenge_format(self) -> bool:
        if self.challenge_file is None:
            return False
        self.challenge = exchange.read_challenge(self.challenge_file)
        self.policy = self.challenge["policy"]
        return True

    def challenge_signature(self) -> bool:
        if self.challenge_file is None:
            return False
        challenge = self.challenge
        signing = challenge["judge"]["signing"]
        check_signature(signing, "challenge", challenge["digest"], challenge["signature"])
        return True

    def challenge_judge(self) -> bool:
        if self.challenge_file is None or self.judge is None:
            return False
        return _demand(self.challenge["judge"] == self.judge)

    def challenge_commitment(self) -> bool:
        if self.challenge_file is None:
            return False
        _demand(not self.policy["trusted_beacon"] or self.head["timestamp_authority"] is not None)
        # of a commitment that names an authority this reference has no labels, and no beacon
        _demand(self.challenge["beacon"] is None or self.head["timestamp_authority"] is not None)
        return _demand(self.challenge["commitment"] == self.commitment["digest"])

    def trusts_somebody(self) -> bool:
        """Whether the challenge names a trust folder, of which this reference has none."""
        return self.challenge_file is not None and self.challenge["trust"] is not None

    def challenge_class_map(self) -> bool:
        if self.challenge_file is None:
            return False
        outputs = self.challenge["class_map"]
        names, own = self.challenge["suspect_classes"], self.commitment["class_names"]
        self.map_bits = 0
        if names is not None:
            _demand(len(names) == self.challenge["suspect"]["outputs"])
        if names is not None and own is not None:
            forms = [commitments.fold(name) for name in names]
            _demand(all(commitments.fold(name) in forms for name in own))
            _demand(outputs == [forms.index(commitments.fold(name)) for name in own])
        elif outputs != list(range(self.challenge["suspect"]["outputs"])) or (
            names is not None and self.challenge["suspect"]["adapter"] in BY_NAME
        ):
            self.map_bits = -1
        _demand(names is not None or self.challenge["suspect"]["adapter"] != "huggingface")
        different = len(set(outputs)) == len(outputs) == self.head["class_count"]
        if self.challenge["suspect"]["kind"] == "extraction":
            _demand(outputs == [0, 1])
        _demand(different and max(outputs) < self.challenge["suspect"]["outputs"])
        if self.map_bits:
            count = self.challenge["suspect"]["outputs"]
            self.map_bits = evidences.class_map_bits(count, len(outputs))
        return True

    def challenge_suspect(self) -> bool:
        if self.challenge_file is None:
            return False
        named = self.challenge["suspect"]
        _demand(named["shape"] == self.head["shape"])
        if named["kind"] == "extraction":
            plain = {"layout": "nchw", "scale": "unit", "mean": [], "std": [], "channels": "rgb"}
            _demand(self.challenge["preprocessing"] == plain)
        if self.suspect is not None:
            for key in ("kind", "digest", "outputs", "shape"):
                _demand(named[key] == self.suspect[key])
        return True

    def challenge_reachable(self) -> bool:
        if self.challenge_file is None:
            return False
        wanted, excluded = self.challenge["block_count"], self.challenge["excluded_blocks"]
        _demand(all(block < self.block_count for block in self.challenge["reopened_blocks"]))
        allowed = set(range(self.block_count)) - set(excluded)
        _demand(wanted <= len(allowed))
        _demand(wanted * self.head["block_size"] <= MAXIMUM_TRIGGERS)
        return _demand(self.reaches(wanted * self.head["block_size"]))

    def response_format(self) -> bool:
        if self.proof_file is None:
            return False
        self.response = exchange.read_response(self.proof_file)
        return True

    def response_signature(self) -> bool:
        if self.proof_file is None:
            return False
        _demand(len(self.response["signatures"]) == len(self.head["owner_keys"]))
        for key, signature in zip(
            self.head["owner_keys"], self.response["signatures"], strict=True
        ):
            check_signature(key, "opening", self.response["digest"], signature)
        return True

    def response_challenge(self) -> bool:
        if self.proof_file is None:
            return False
        _demand(self.response["challenge"] == self.challenge["digest"])
        return _demand(self.response["commitment"] == self.commitment["digest"])

    def response_blocks(self) -> bool:
        if self.proof_file is None:
            return False
        blocks = exchange.ascending(self.response["blocks"])
        _demand(len(blocks) == self.challenge["block_count"])
        _demand(all(block < self.block_count for block in blocks))
        _demand(self.challenge["reopened_blocks"] in ([], blocks))
        return _demand(not set(blocks) & set(self.challenge["excluded_blocks"]))

    def opening_sealed(self) -> bool:
        if self.proof_file is None:
            return False
        self.plaintext = unseal(self.box_secret, self.response["sealed"])
        return True

    def opening_format(self) -> bool:
        if self.proof_file is None:
            return False
        self.blocks = exchange.read_plaintext(
            self.plaintext, self.head, self.challenge["digest"], self.response["blocks"]
        )
        return True

    def opening_leaves(self) -> bool:
        if self.proof_file is None:
            return False
        size = self.head["block_size"]
        derived = self.head["label_mode"] == "derived"
        seed = self.seed(self.commitment["digest"]) if derived else b""
        for block in self.blocks:
            for position, trigger in enumerate(block["triggers"]):
                index = block["block"] * size + position
                label, pixels = None, None
                if derived:
                    label = commitments.label(seed, index, self.head["class_count"])
                if trigger is not None:
                    digest = commitments.leaf(
                        self.head["shape"], trigger["label"], trigger["salt"], trigger["pixels"]
                    )
                    if digest == self.leaves[index]:
                        pixels = trigger["pixels"]
                        label = label if derived else trigger["label"]
                self.examination.opened.append(Opened(block["block"], index, label, pixels))
        return _demand(all(trigger.pixels is not None for trigger in self.examination.opened))

    def opening_labels(self) -> bool:
        if self.proof_file is None:
            return False
        accepted = self.policy["accept_declared_labels"]
        return _demand(accepted or self.head["label_mode"] == "derived")

    def suspect_answers(self) -> bool:
        if self.proof_file is None or self.answers is None:
            return False
        good = [trigger for trigger in self.examination.opened if trigger.pixels is not None]
        images = [trigger.pixels for trigger in good if trigger.pixels is not None]
        answers = self.answers(images)
        matches = sum(
            trigger.label is not None and answer == self.challenge["class_map"][trigger.label]
            for trigger, answer in zip(good, answers, strict=True)
        )
        self.examination.matches = matches
        if self.examination.results["opening.labels"] == "failed":
            return True
        missing = sum(answer is None for answer in answers)
        return _demand(self.reaches(matches) or not self.reaches(matches + missing))

    def evidence_threshold(self) -> bool:
        if (
            self.examination.matches is None
            or self.examination.results["opening.labels"] == "failed"
        ):
            return False
        self.examination.evidence = self.evidence(self.examination.matches)
        return _demand(self.reaches(self.examination.matches))

    def evidence(self, matches: int) -> int:
        return evidences.evidence(
            self.head["class_count"],
            self.head["block_size"],
            self.block_count,
            self.challenge["block_count"],
            matches,
            self.policy["functions_tried"],
            self.policy["owner_choice_bits"],
            self.map_bits,
        )

    def reaches(self, matches: int) -> bool:
        wanted: int = 100 * self.policy["threshold_bits"]
        return self.evidence(matches) >= wanted


def _demand(condition: bool) -> bool:
    if not condition:
        raise RejectedError("a check failed")
    return True
