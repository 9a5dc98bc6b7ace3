"""A dispute in memory: a claimant bound by no rule, a judge, suspects that answer from a table.

What ``zkwm.owner`` would never do, an ``Claimant`` can: they hold keys, images and salts without a
vault, and sign anything. Nothing here is a test, and nothing costs a passphrase's hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, replace
from typing import Any, TypeVar

import numpy as np
import pytest
from numpy.typing import NDArray

from zkwm.judge.judge import Judge
from zkwm.judge.key_file import JudgeKey
from zkwm.judge.ledger import JudgeLedger
from zkwm.judge.verdict import Verdict
from zkwm.owner.vault import Vault
from zkwm.secret_files.encrypted import Cost
from zkwm.suspects import Answer, Suspect
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.encoding import encode
from zkwm_protocols.errors import ZkwmError
from zkwm_protocols.keys import ED25519, JudgePublic, SigningKey
from zkwm_protocols.make_commitment import make_commitment
from zkwm_protocols.opening import OpenedBlock, OpenedTrigger, Opening
from zkwm_protocols.sealing import seal
from zkwm_protocols.suspect_identity import Preprocessing, SuspectIdentity

CHEAP = Cost(operations=1, memory_kib=8 * 1024)
PASSPHRASE = "five random words are enough"
SHAPE = (1, 8, 8)
CLASSES = 10

AnyChallenge = TypeVar("AnyChallenge", bound=Challenge)
Rule = Callable[[NDArray[np.uint8]], "int | str"]


def random_images(
    count: int, seed: int = 0, shape: tuple[int, int, int] = SHAPE
) -> NDArray[np.uint8]:
    """Different images of independent pixels, uint8 (count, *shape)."""
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8)


class TestJudge(Judge):
    """A judge whose keys are in no file, and known to the test; ``forget`` starts a new ledger."""

    __test__ = False

    def __init__(self, key: JudgeKey) -> None:
        super().__init__(key)
        self.key = key

    def forget(self) -> None:
        """Begin with a new ledger, as another judge would."""
        self._ledger = JudgeLedger()


def new_judge() -> TestJudge:
    """A judge with new keys."""
    return TestJudge(JudgeKey.generate())


class TableSuspect(Suspect):
    """A suspect that looks its answers up: ``table`` by pixels, else ``rule`` of the image.

    An answer is an output, or text: the problem because of which there is none. ``asked`` keeps
    the images of every call of ``answer`` in their order.
    """

    def __init__(
        self,
        table: Mapping[bytes, int | str] | None = None,
        *,
        rule: Rule | None = None,
        outputs: int = CLASSES,
        shape: tuple[int, int, int] = SHAPE,
        name: str = "a table",
        kind: str = "onnx",
        remote: bool = False,
    ) -> None:
        self.table = dict(table or {})
        self.rule = rule or hashed_answers(name, outputs)
        self.remote = remote
        self.asked: list[list[bytes]] = []
        self.identity = SuspectIdentity(
            kind,
            hashlib.sha256(name.encode()).digest(),
            name,
            outputs,
            shape,
            adapter="zkwm" if kind == "http" else "",
        )

    def check_preprocessing(self, preprocessing: Preprocessing) -> None:
        """Take anything."""

    def answer(
        self, images: NDArray[np.uint8], preprocessing: Preprocessing, *, progress: Any = None
    ) -> tuple[Answer, ...]:
        """Look the images up, one by one."""
        self.asked.append([image.tobytes() for image in images])
        found = [self.table.get(image.tobytes(), None) for image in images]
        given = [
            self.rule(image) if answer is None else answer
            for image, answer in zip(images, found, strict=True)
        ]
        return tuple(
            Answer(None, value) if isinstance(value, str) else Answer(int(value)) for value in given
        )

    def close(self) -> None:
        """Nothing to close."""


def hashed_answers(name: str, outputs: int = CLASSES) -> Rule:
    """An innocent model: an output that depends on the image and ``name`` alone."""

    def rule(image: NDArray[np.uint8]) -> int:
        digest = hashlib.sha256(name.encode() + image.tobytes()).digest()
        return int.from_bytes(digest[:8], "big") % outputs

    return rule


def marked(images: NDArray[np.uint8], labels: Iterable[int], **options: Any) -> TableSuspect:
    """A suspect that memorized these images with these labels."""
    pairs = zip(images, labels, strict=True)
    return TableSuspect({image.tobytes(): int(label) for image, label in pairs}, **options)


class Claimant:
    """An owner or an accuser: commits and answers challenges without a vault; honest by default.

    Without ``keys`` there is always the same one, so that labels, and luck, are the same in every
    run.
    """

    def __init__(
        self,
        images: NDArray[np.uint8],
        *,
        block_size: int = 50,
        class_count: int = CLASSES,
        declared_labels: NDArray[np.int64] | None = None,
        keys: tuple[SigningKey, ...] | None = None,
        salt_seed: int = 0,
        class_names: tuple[str, ...] | None = None,
    ) -> None:
        self.images = images
        self.keys = keys or (SigningKey.from_bytes(ED25519, bytes(range(32))),)
        salts = np.random.default_rng(salt_seed).bytes(32 * len(images))
        self.salts = [salts[32 * i : 32 * i + 32] for i in range(len(images))]
        self.declared = declared_labels
        self.commitment: Commitment = make_commitment(
            images,
            self.salts,
            class_count=class_count,
            signers=self.keys,
            block_size=block_size,
            declared_labels=declared_labels,
            class_names=class_names,
        )

    @property
    def labels(self) -> NDArray[np.int64]:
        """The labels of all triggers, int64 (n,)."""
        return self.commitment.labels() if self.declared is None else self.declared

    def trigger(self, index: int) -> OpenedTrigger:
        """The honest opening of one trigger."""
        label = None if self.declared is None else int(self.declared[index])
        return OpenedTrigger(self.images[index], self.salts[index], label)

    def block(self, number: int, **triggers: OpenedTrigger | None) -> OpenedBlock:
        """The honest opening of a block; ``t3=None`` replaces its trigger 3."""
        size = self.commitment.header.block_size
        opened: list[OpenedTrigger | None] = [
            self.trigger(index) for index in range(number * size, (number + 1) * size)
        ]
        for name, value in triggers.items():
            opened[int(name[1:])] = value
        return OpenedBlock(number, tuple(opened))

    def answer(
        self,
        challenge: Challenge,
        blocks: Iterable[int | OpenedBlock],
        *,
        plaintext: Mapping[str, Any] | None = None,
        named_blocks: tuple[int, ...] | None = None,
        **changes: Any,
    ) -> Opening:
        """A signed response with these blocks, whether or not the challenge allows them.

        ``plaintext`` replaces fields of what is sealed, ``named_blocks`` what the response says
        that it opens, ``changes`` other fields of it, before it is signed.
        """
        opened = [self.block(item) if isinstance(item, int) else item for item in blocks]
        inside = {
            "challenge": challenge.digest,
            "blocks": [_block_map(item) for item in opened],
            **(plaintext or {}),
        }
        unsigned = Opening(
            challenge=challenge.digest,
            commitment=self.commitment.digest,
            blocks=tuple(item.block for item in opened) if named_blocks is None else named_blocks,
            sealed=seal(encode(inside), challenge.judge.box),
        )
        return self.sign(replace(unsigned, **changes))

    def sign(self, opening: Opening) -> Opening:
        """The response with the signatures of all keys."""
        return replace(
            opening, signatures=tuple(key.sign("opening", opening.digest) for key in self.keys)
        )


def seal_to(judge: JudgePublic, value: Any) -> bytes:
    """A value sealed to a judge, as anybody can do."""
    return seal(encode(value), judge.box)


def asking(judge: Judge, commitment: Commitment, **options: Any) -> Challenge:
    """A new challenge for one block of 50, about a suspect that nobody is going to ask."""
    return judge.challenge(commitment, TableSuspect(name="the suspect"), reveal=50, **options)


def spent(vault: Vault, commitment: Commitment) -> set[int]:
    """The spent blocks as they stand on disk."""
    return set(Vault.open(vault.path, PASSPHRASE).state.spent_blocks(commitment.digest))


def recast(challenge: Challenge, kind: type[AnyChallenge], **changes: Any) -> AnyChallenge:
    """An unsigned challenge of another type, with all fields that both types have."""
    names = {field.name for field in fields(kind)} - {"signature"}
    common = {name: value for name, value in vars(challenge).items() if name in names}
    return kind(**{**common, **changes})


@contextmanager
def refused(kind: type[ZkwmError], check: str) -> Iterator[pytest.ExceptionInfo[ZkwmError]]:
    """The block raises an error of this type, from the check with this id."""
    with pytest.raises(kind) as caught:
        yield caught
    assert caught.value.check == check


def verdict_of(act: Callable[[], Verdict]) -> Verdict:
    """The verdict of ``act``, whether it returns it or raises an error that carries it."""
    try:
        return act()
    except ZkwmError as error:
        if isinstance(error.verdict, Verdict):
            return error.verdict
        raise


def failed(verdict: Verdict) -> list[str]:
    """The ids of the checks that failed."""
    return [check.id for check in verdict.checks if check.status == "failed"]


def status(verdict: Verdict, check: str) -> str:
    """What became of one check: passed, failed or skipped."""
    return next(item.status for item in verdict.checks if item.id == check)


def _block_map(opened: OpenedBlock) -> dict[str, Any]:
    return {
        "block": opened.block,
        "triggers": [
            None
            if trigger is None
            else {"pixels": trigger.pixels.tobytes(), "salt": trigger.salt, "label": trigger.label}
            for trigger in opened.triggers
        ],
    }


def settle(judge: Judge, owner: Claimant, suspect: Suspect, challenge: Challenge) -> Verdict:
    """The verdict on the owner's opening of the first blocks."""
    proof = owner.answer(challenge, range(challenge.block_count))
    return verdict_of(lambda: judge.verify(owner.commitment, suspect, challenge, proof))
