"""The class map of a challenge: what it must be, and how a person reads it (SPEC.md 6.1)."""

from __future__ import annotations

from typing import Any

from zkwm_protocols.class_names import map_bits, map_of_equal_names
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.errors import InvalidOpening
from zkwm_protocols.suspect_identity import Preprocessing, SuspectIdentity

_CHECK = "challenge.class_map"


def usual_class_map(commitment: Commitment, names: tuple[str, ...] | None) -> tuple[int, ...]:
    """The output for each label where nobody names another (SPEC.md 6.1).

    That of the same name where both sides have names (``names`` is what the suspect calls its
    outputs), else the same number. Raises InvalidOpening for a class that no output has.
    """
    named = commitment.class_names
    if named is not None and names is not None:
        return map_of_equal_names(named, names)
    return tuple(range(commitment.header.class_count))


def verify_class_map(
    class_map: tuple[int, ...],
    suspect: SuspectIdentity,
    names: tuple[str, ...] | None,
    commitment: Commitment,
) -> None:
    """Check that labels and outputs pair up, by equal names where both sides have names.

    ``names`` is what the suspect calls its outputs.

    Raises InvalidOpening (``challenge.class_map``).
    """
    header, outputs = commitment.header, suspect.outputs
    problem = ""
    if names is None and suspect.adapter == "huggingface":
        problem = "an endpoint of this protocol answers by names, and the challenge has none"
    elif names is not None and len(names) != outputs:
        problem = f"{len(names)} names for the suspect's {outputs} outputs"
    elif len(class_map) != header.class_count:
        problem = (
            f"the class map has {len(class_map)} labels, the commitment "
            f"{header.class_count} classes"
        )
    elif len(set(class_map)) != len(class_map):
        problem = "the class map gives one output to two labels"
    elif any(not 0 <= output < outputs for output in class_map):
        problem = "the class map names an output that the suspect does not have"
    elif (
        names is not None
        and commitment.class_names is not None
        and class_map != map_of_equal_names(commitment.class_names, names)
    ):
        problem = "the class map is not that of equal names"
    if problem:
        raise InvalidOpening(problem, check=_CHECK)


def class_map_cost(
    class_map: tuple[int, ...],
    suspect: SuspectIdentity,
    names: tuple[str, ...] | None,
    commitment: Commitment,
) -> int:
    """What a class map costs, in bits (SPEC.md 8.2); ``names`` is what the suspect calls outputs.

    The outputs of an endpoint that is read by names have no numbers but those of the list of names.
    """
    named = commitment.class_names is not None and names is not None
    numbered = names is None or not suspect.answers_by_name
    return map_bits(class_map, suspect.outputs, by_names=named, numbered=numbered)


def verify_extraction(class_map: tuple[int, ...], preprocessing: Preprocessing) -> None:
    """Check that no choice is left where a mark is extracted (SPEC.md 19.3).

    Raises InvalidOpening (``challenge.class_map``, ``challenge.suspect``).
    """
    if class_map != (0, 1):
        raise InvalidOpening(
            "where a mark is extracted, label 0 is bit 0 and label 1 is bit 1", check=_CHECK
        )
    if preprocessing != Preprocessing():
        raise InvalidOpening(
            "keys are not images: they have no preprocessing", check="challenge.suspect"
        )


def mapped_classes(
    class_map: tuple[int, ...],
    outputs: tuple[str, ...] | None,
    names: tuple[str, ...] | None,
) -> list[dict[str, Any]]:
    """Each label with its name, its output and that output's name (None where there is none).

    ``outputs`` are the suspect's names, ``names`` the commitment's. The map need not be valid: a
    verdict shows one that was refused, too.
    """
    return [
        {
            "label": label,
            "name": _entry(names, label),
            "output": output,
            "output_name": _entry(outputs, output),
        }
        for label, output in enumerate(class_map)
    ]


def _entry(names: tuple[str, ...] | None, number: int) -> str | None:
    """The name of this number, or None where there is none."""
    return names[number] if names is not None and 0 <= number < len(names) else None
