"""Which registered commitments have standing on a model: from what is on file, nobody is asked.

A commitment has standing where its images have the model's shape, its classes fit the outputs, it
was not first seen after the model, and enough blocks are left to reach the threshold. Whether the
mark is in the model, only an answer of its owner tells.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from typing import Any

from sqlalchemy import column, func, select, table

from zkwm.judge.decoys import natural_count
from zkwm.judge.ledger import suspect_digest
from zkwm.judge.ledger_tables import whole
from zkwm.registry_database.database import Database
from zkwm.registry_database.tables import COMMITMENTS, SIGHTS
from zkwm.suspects import Suspect
from zkwm_protocols.class_names import map_bits, map_of_equal_names
from zkwm_protocols.errors import InvalidOpening
from zkwm_protocols.evidence import smallest_reveal
from zkwm_protocols.policy import Policy

_OPENINGS = table("ledger_openings", column("commitment"), column("block"))
_FUNCTIONS = table("ledger_functions", column("commitment"), column("number"))


class NoStanding(StrEnum):
    """Why a commitment has no standing on a model."""

    CLASSES = "its classes do not fit the model's outputs"
    LATER = "it was first seen after the model"
    DECLARED = "its labels are declared, and the policy does not accept them"
    BLOCKS = "too few blocks are left to reach the threshold"


@dataclass(frozen=True)
class Standing:
    """A commitment that could be claimed with.

    Args:
        commitment: its digest in hexadecimal.
        first_seen: when it was first seen, in seconds since 1970.
        blocks_left: how many were not opened to this judge.
        reveal: the fewest triggers that reach the threshold, in whole blocks.
        functions_tried: j of a challenge about another function.
    """

    commitment: str
    first_seen: int
    blocks_left: int
    reveal: int
    functions_tried: int


@dataclass(frozen=True)
class Screening:
    """The commitments with standing on a model, the longest known first.

    Args:
        standings: those with standing.
        without: how many of the same shape have none, by reason.
        other_shapes: how many take images of another shape.
        images: how many the model would be asked if all claimed, decoys included.
    """

    standings: tuple[Standing, ...]
    without: dict[NoStanding, int]
    other_shapes: int
    images: int


def screen(database: Database, suspect: Suspect, policy: Policy) -> Screening:
    """The commitments with standing on a suspect under a policy."""
    channels, height, width = suspect.identity.shape
    table_ = COMMITMENTS.c
    opened = (
        select(func.count(func.distinct(_OPENINGS.c.block)))
        .where(_OPENINGS.c.commitment == table_.digest)
        .scalar_subquery()
    )
    tried = (
        select(func.coalesce(func.max(_FUNCTIONS.c.number), 0))
        .where(_FUNCTIONS.c.commitment == table_.digest)
        .scalar_subquery()
    )
    query = (
        select(
            table_.digest, table_.class_count, table_.block_size, table_.block_count,
            table_.derived, table_.class_names, SIGHTS.c.first,
            opened.label("opened"), tried.label("tried"),
        )
        .join(SIGHTS, SIGHTS.c.digest == table_.digest)
        .where(table_.channels == channels, table_.height == height, table_.width == width)
        .order_by(SIGHTS.c.first, table_.digest)
    )  # fmt: skip
    seen = select(SIGHTS.c.first).where(SIGHTS.c.digest == suspect_digest(suspect.identity))
    with database.reading() as connection:
        suspect_seen = connection.execute(seen).scalar()
        rows = connection.execute(query).all()
        total = connection.execute(select(func.count()).select_from(COMMITMENTS)).scalar_one()
    found = [_standing(row, suspect, policy, suspect_seen) for row in rows]
    standings = tuple(one for one in found if isinstance(one, Standing))
    return Screening(
        standings=standings,
        without=dict(Counter(one for one in found if isinstance(one, NoStanding))),
        other_shapes=total - len(rows),
        images=sum(_images(one.reveal, remote=suspect.remote) for one in standings),
    )


def _standing(
    row: Any,  # noqa: ANN401
    suspect: Suspect,
    policy: Policy,
    suspect_seen: int | None,
) -> Standing | NoStanding:
    """The standing of one commitment on a suspect."""
    cost = _map_cost(row, suspect)
    if cost is None:
        return NoStanding.CLASSES
    if suspect_seen is not None and whole(row.first) > suspect_seen:
        return NoStanding.LATER
    if not row.derived and not policy.accept_declared_labels:
        return NoStanding.DECLARED
    number = max(policy.functions_tried, whole(row.tried) + 1)
    left = row.block_count - whole(row.opened)
    fewest = _fewest_blocks(
        row.block_count, row.block_size, row.class_count,
        replace(policy, functions_tried=number), cost,
    )  # fmt: skip
    if fewest is None or fewest > left:
        return NoStanding.BLOCKS
    return Standing(
        bytes(row.digest).hex(), whole(row.first), left, fewest * row.block_size, number
    )


def _map_cost(row: Any, suspect: Suspect) -> int | None:  # noqa: ANN401
    """What the usual class map costs in bits; None where there is none."""
    outputs, names = suspect.identity.outputs, suspect.output_names
    if row.class_count > outputs:
        return None
    if row.class_names is not None and names is not None:
        try:
            map_of_equal_names(json.loads(row.class_names), names)
        except InvalidOpening:
            return None
        return 0
    numbered = names is None or not suspect.identity.answers_by_name
    return map_bits(range(row.class_count), outputs, by_names=False, numbered=numbered)


@cache
def _fewest_blocks(
    block_count: int, block_size: int, class_count: int, policy: Policy, map_bits: int
) -> int | None:
    """The fewest blocks that reach the threshold; many commitments have the same sizes."""
    return smallest_reveal(
        block_count=block_count,
        block_size=block_size,
        class_count=class_count,
        policy=policy,
        map_bits=map_bits,
    )


def _images(triggers: int, *, remote: bool) -> int:
    """How many images a suspect is asked for this many triggers."""
    return 2 * triggers + natural_count(triggers) if remote else triggers
