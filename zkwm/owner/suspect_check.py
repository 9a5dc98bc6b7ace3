"""What ``zkwm.owner.check`` finds out about a suspect, as data.

It says what an answer to a judge would be worth and what it would cost, before anybody asks.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from zkwm_protocols.argument.cost_estimate import Estimate
from zkwm_protocols.evidence import Evidence
from zkwm_protocols.ranks import Statistic
from zkwm_protocols.suspect_identity import SuspectIdentity


@dataclass(frozen=True)
class BlockCheck:
    """What the suspect answers to one block.

    Args:
        block: its number.
        matches: the triggers that get the output of their label.
        answered: the triggers that get an answer.
        spent: whether it was opened to somebody, or an image of it was; it serves no more.
    """

    block: int
    matches: int
    answered: int
    spent: bool


@dataclass(frozen=True)
class OpeningCheck:
    """What an opening would show: of the fewest blocks that suffice, or of all that are left.

    Args:
        statistic: what is counted.
        blocks: the blocks that would be opened, and be spent, ascending: the first unspent ones,
            or those that match best where fewer of them suffice.
        unspent_after: the blocks that would be left.
        evidence: what a judge would be left with, after all allowances.
        chosen: whether ``blocks`` are not the first unspent ones, so that ``prove`` has to be told.
    """

    statistic: Statistic
    blocks: tuple[int, ...]
    unspent_after: int
    evidence: Evidence
    chosen: bool = False


@dataclass(frozen=True)
class ArgumentCheck:
    """What an argument in zero knowledge about all unspent blocks would show.

    Args:
        refusal: why there can be none; empty where there can.
        hint: what to do then.
        check: the id of the check that refuses; may be empty.
        blocks: the blocks that it would be about; none of them is spent by it.
        network: digest of the integer network, 32 bytes; None where there is none.
        matches: triggers of these blocks that match in the integer network.
        least_matches: k*, what a judge would ask for.
        evidence: what k* matches are worth to a judge, after all allowances.
        cost: time, memory and size of the proof, approximately.
        bits_released: bits that arguments have told about this commitment so far; an answer tells
            one more.
        bit_limit: the number of them beyond which the owner is asked.
    """

    refusal: str
    hint: str
    check: str
    blocks: tuple[int, ...]
    network: bytes | None
    matches: int | None
    least_matches: int | None
    evidence: Evidence | None
    cost: Estimate | None
    bits_released: int
    bit_limit: int

    @property
    def reached(self) -> bool:
        """Whether the argument can be made, and shows what a judge would ask for."""
        return (
            not self.refusal
            and self.matches is not None
            and self.least_matches is not None
            and self.matches >= self.least_matches
            and self.evidence is not None
            and self.evidence.reached
        )


@dataclass(frozen=True)
class SuspectCheck:
    """What a suspect answers to an owner's triggers, looked at by the owner alone.

    Args:
        suspect: the model that was asked.
        commitment: D, 32 bytes.
        class_count: C, the number of classes.
        block_size: triggers in a block.
        declared_labels: whether the owner declared the labels: then a verdict states no bits.
        functions_tried: j, as the evidence counts it.
        answers_given: answers about this commitment that left the vault, each perhaps a function.
        map_bits: what the class map costs.
        blocks: the answers, block by block.
        openings: what an opening would show, by matches, and where the suspect gives scores by
            ranks and by points; none where no block is unspent.
        argument: what an argument would show; None where it was not looked at.
    """

    suspect: SuspectIdentity
    commitment: bytes
    class_count: int
    block_size: int
    declared_labels: bool
    functions_tried: int
    answers_given: int
    map_bits: int
    blocks: tuple[BlockCheck, ...]
    openings: tuple[OpeningCheck, ...]
    argument: ArgumentCheck | None

    @property
    def matches(self) -> int:
        """The triggers of all blocks that match."""
        return sum(block.matches for block in self.blocks)

    @property
    def triggers(self) -> int:
        """All triggers of the commitment."""
        return len(self.blocks) * self.block_size

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values; digests in hexadecimal."""
        suspect = self.suspect
        return {
            "suspect": {
                "kind": suspect.kind.value,
                "digest": suspect.digest.hex(),
                "description": suspect.description,
                "outputs": suspect.outputs,
            },
            "commitment": self.commitment.hex(),
            "triggers": self.triggers,
            "matches": self.matches,
            "classes": self.class_count,
            "block_size": self.block_size,
            "declared_labels": self.declared_labels,
            "functions_tried": self.functions_tried,
            "map_bits": self.map_bits,
            "blocks": [asdict(block) for block in self.blocks],
            "openings": [_opening_values(one) for one in self.openings],
            "argument": None if self.argument is None else _argument_values(self.argument),
        }


def _opening_values(opening: OpeningCheck) -> dict[str, Any]:
    """An opening as JSON values."""
    ranks, points = opening.evidence.rank_sum, opening.evidence.score_sum
    return {
        "statistic": opening.statistic.value,
        "blocks": list(opening.blocks),
        "unspent_after": opening.unspent_after,
        "rank_sum": None if ranks is None else ranks.value,
        "score_sum": None if points is None else points.value,
        **_evidence_values(opening.evidence),
    }


def _argument_values(argument: ArgumentCheck) -> dict[str, Any]:
    """An argument as JSON values."""
    cost, evidence = argument.cost, argument.evidence
    return {
        "possible": not argument.refusal,
        "reached": argument.reached,
        "refusal": argument.refusal or None,
        "check": argument.check or None,
        "blocks": list(argument.blocks),
        "network": None if argument.network is None else argument.network.hex(),
        "matches": argument.matches,
        "least_matches": argument.least_matches,
        "bits": None if evidence is None else evidence.total_bits,
        "prove_seconds": None if cost is None else round(cost.prove_seconds, 1),
        "peak_bytes": None if cost is None else cost.peak_bytes,
        "proof_bytes": None if cost is None else cost.proof_bytes,
        "bits_released": argument.bits_released,
        "bit_limit": argument.bit_limit,
    }


def _evidence_values(evidence: Evidence) -> dict[str, Any]:
    """Evidence as JSON values."""
    return {
        "matches": evidence.matches,
        "triggers": evidence.trials,
        "needed_matches": evidence.needed_matches,
        "bits": evidence.total_bits,
        "threshold_bits": evidence.threshold_bits,
        "reached": evidence.reached,
    }
