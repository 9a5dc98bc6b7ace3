"""Options of ``zkwm challenge``: the question to the owner, and the terms of the case."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import click

from zkwm_cli.class_options import (
    NamedOutputs,
    class_map_option,
    outputs_option,
    suspect_classes_option,
    threshold_option,
    tried_option,
)
from zkwm_cli.options import (
    data_set_option,
    declared_labels_option,
    option,
    read_numbers,
    usage_errors,
)
from zkwm_cli.suspect_options import adapter_option, output_name_option


def test_data_option() -> Any:  # noqa: ANN401
    """--test-data"""
    return data_set_option(
        "--test-data",
        metavar="DATA",
        help="Labeled images of the suspect's task, from neither party: fashion-mnist-small, a "
        ".npz file or a folder with a folder for each class. Its accuracy on them, fed as you say, "
        "is measured first.",
    )


@dataclass(frozen=True)
class QuestionOptions:
    """Whether triggers are opened or argued about, how many, and what is counted."""

    reveal: int | None = option(
        "--reveal",
        type=click.IntRange(min=1),
        metavar="N",
        help="Triggers to open, whole blocks (of 50).",
    )
    reopen: tuple[int, ...] = option(
        "--reopen",
        callback=read_numbers,
        metavar="N,N,...",
        help="Weigh blocks again that were opened to you about this suspect: with another "
        "preprocessing or statistic, or because the suspect did not answer. Opens nothing new, "
        "and counts as one more function.",
    )
    zero_knowledge: bool = option(
        "--zero-knowledge",
        is_flag=True,
        help="Ask for a zero-knowledge argument instead: nothing is opened.",
    )
    blocks: int | None = option(
        "--blocks",
        type=click.IntRange(1, 100_000),
        metavar="R",
        help="With --zero-knowledge: blocks that it is about (default: all that are not excluded).",
    )
    least_matches: int | None = option(
        "--least-matches",
        type=click.IntRange(1, 10_000),
        metavar="K",
        help="With --zero-knowledge: matches to be shown (default: the fewest that suffice).",
    )
    images: str | None = option(
        "--images",
        type=click.Path(),
        metavar="PATH",
        help="With --zero-knowledge: images on which suspect and integer network are compared "
        "(default: public ones).",
    )
    statistic: str = option(
        "--statistic",
        type=click.Choice(["matches", "ranks", "scores", "relearning"]),
        default="matches",
        show_default=True,
        help="What is counted: matches; for suspects that give scores, stronger: how high they "
        "rank each label, or points for place and distance of each label among them; for weights "
        "(safetensors) strongest: ranks, once other labels are relearned. Decide before you "
        "know any.",
    )

    def announce(self, model: str) -> None:
        """Say what takes longer than a challenge to open does, before it is begun."""
        from zkwm_cli.terminal import note

        if self.zero_knowledge:
            note(f"making the integer network of {model}, and comparing it with the file")

    def require_consistent(self) -> None:
        """Raise a usage error for options of both ways, or of none."""
        ways = (self.reveal is not None, bool(self.reopen), self.zero_knowledge)
        if sum(ways) != 1:
            raise click.UsageError("use one of --reveal, --reopen and --zero-knowledge")
        only_argued = (self.blocks, self.least_matches, self.images)
        if not self.zero_knowledge and only_argued != (None, None, None):
            raise click.UsageError(
                "--blocks, --least-matches and --images go with --zero-knowledge"
            )
        if self.zero_knowledge and self.statistic != "matches":
            why = " and trains no network" if self.statistic == "relearning" else ""
            raise click.UsageError(
                f"--statistic {self.statistic} goes with --reveal: an argument shows matches{why}"
            )


@dataclass(frozen=True)
class CaseTerms(NamedOutputs):
    """The terms of a case: its purpose, the class map, the evidence demanded."""

    purpose: str = option(
        "--purpose", default="", metavar="TEXT", help="Shown to the owner: what this is for."
    )
    threshold_bits: int = threshold_option()
    functions_tried: int = tried_option(
        "Models, preprocessings, class maps and statistics tried on this commitment as far as "
        "you know, this one included. Your ledger's own count is taken where it is larger."
    )
    exclude_blocks: tuple[int, ...] = option(
        "--exclude-blocks",
        callback=read_numbers,
        metavar="N,N,...",
        help="Blocks opened before the suspect was published; they may not be opened again.",
    )
    outputs: int | None = outputs_option()
    output_name: str = output_name_option()
    adapter: str | None = adapter_option()
    class_map: str | None = class_map_option()
    suspect_classes: str | None = suspect_classes_option()
    owner_choice_bits: int = option(
        "--owner-choice-bits",
        type=click.IntRange(0, 10_000_000),
        default=0,
        metavar="BITS",
        help="Bits to deduct for anything else that the owner was allowed to choose.",
    )
    accept_declared_labels: bool = declared_labels_option()

    def fixed(self, *, older: bool) -> dict[str, Any]:
        """Keyword arguments of ``Judge.challenge`` and ``Judge.challenge_argument``.

        ``older`` is what the options about dates demand.
        """
        from zkwm_protocols.policy import Policy

        return {
            "purpose": self.purpose,
            "policy": Policy(
                threshold_bits=self.threshold_bits,
                functions_tried=self.functions_tried,
                owner_choice_bits=self.owner_choice_bits,
                accept_declared_labels=self.accept_declared_labels,
                older=older,
            ),
            "excluded_blocks": self.exclude_blocks,
        }

    def protocol(self, names: tuple[str, ...] | None) -> dict[str, Any]:
        """Keyword arguments of ``zkwm.suspects.open_suspect``: the output, how an endpoint speaks.

        ``names`` is what the suspect calls its outputs.
        """
        return {"output": self.output_name, "adapter": self.adapter or "", "output_names": names}

    def require_purpose(self) -> None:
        """Raise UsageError for a purpose that is too long or not printable."""
        from zkwm_protocols.challenge_body import MAXIMUM_PURPOSE
        from zkwm_protocols.schema import require_text

        if len(self.purpose) > MAXIMUM_PURPOSE:
            raise click.UsageError(
                f"--purpose has {len(self.purpose)} characters; at most {MAXIMUM_PURPOSE} are "
                "signed: put the rest into a document, and name it"
            )
        with usage_errors("--purpose: "):
            require_text(self.purpose, MAXIMUM_PURPOSE)
