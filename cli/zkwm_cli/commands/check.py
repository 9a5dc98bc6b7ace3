"""``zkwm check``: the owner looks at a suspect, and nobody learns of it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from zkwm_cli.artifacts import print_result, require_one_stdin
from zkwm_cli.class_options import OutputTerms, threshold_option, tried_option
from zkwm_cli.consent import warn_of_mark
from zkwm_cli.layout import fit
from zkwm_cli.options import (
    commitment_option,
    data_set_option,
    json_option,
    option,
    options,
    usage_errors,
)
from zkwm_cli.secret_options import VaultOptions
from zkwm_cli.suspect_options import ExtractionOptions, FileOptions, PreprocessingOptions
from zkwm_cli.trust_options import label_trust_option, read_commitment

if TYPE_CHECKING:
    from zkwm.owner.suspect_check import SuspectCheck
    from zkwm.owner.vault import Vault
    from zkwm_protocols.commitment import Commitment


@dataclass(frozen=True)
class LookOptions:
    """What a judge would demand, and how far to look."""

    threshold_bits: int = threshold_option()
    functions_tried: int | None = tried_option(
        "Functions that a judge would count as tried on this commitment, this one included "
        "(default: one more than the answers in your vault). Each doubling costs two bits.",
        default=None,
    )
    no_argument: bool = option(
        "--no-argument",
        is_flag=True,
        help="Only look at openings: making and comparing the integer network takes longest.",
    )
    test_data: str | None = data_set_option(
        "--test-data",
        metavar="DATA",
        help="Test data of the suspect's task, to see that its integer network is a classifier "
        "(default: Fashion-MNIST where it fits).",
    )


@click.command("check", short_help="Owner: look at a suspect in private, before anybody asks.")
@options(
    owner=VaultOptions,
    commitment=commitment_option(),
    trust=label_trust_option(),
    suspect=FileOptions,
    extraction=ExtractionOptions,
    terms=OutputTerms,
    preprocessing=PreprocessingOptions,
    look=LookOptions,
    as_json=json_option(),
)
def command(
    owner: VaultOptions,
    commitment: str,
    trust: str | None,
    suspect: FileOptions,
    extraction: ExtractionOptions,
    terms: OutputTerms,
    preprocessing: PreprocessingOptions,
    look: LookOptions,
    as_json: bool,
) -> None:
    """Ask a suspect your own triggers, here, and see what an answer to a judge would be worth.

    Nothing leaves this machine and nothing is recorded: no block is spent, no bit is told. Blocks
    that were opened before are asked too, and count for nothing. Bits are what a judge would be
    left with after all allowances. For an endpoint there is no private look: whoever runs it would
    see the triggers.

    \b
        zkwm check --vault acme.vault --commitment acme.commitment \\
            --model suspect.onnx
    """
    require_one_stdin(
        commitment=commitment,
        class_map=terms.class_map,
        suspect_classes=terms.suspect_classes,
        passphrase_file=owner.passphrase_file,
    )
    from zkwm.suspects.location import is_endpoint
    from zkwm_cli.terminal import note

    committed = read_commitment(commitment, trust)
    if not is_endpoint(suspect.model):
        note(f"asking {suspect.model} your own triggers, here: nothing leaves or is recorded")
    settings = suspect.settings() | extraction.settings()
    settings |= {
        "outputs": terms.outputs,
        "output": terms.output_name,
        "preprocessing": preprocessing.read(committed.header.shape),
        "class_map": terms.read_class_map(),
    }
    if committed.class_names is not None or terms.suspect_classes is not None:
        settings["suspect_classes"] = terms.read_suspect_classes(suspect.model)
    vault = owner.open()
    found = _check(vault, committed, suspect.model, look, settings)
    warn_of_mark(vault)
    if not as_json:
        from zkwm_cli.check_text import check_text

        click.echo(fit(check_text(found), sys.stdout), nl=False)
    print_result(as_json, "check", **found.to_json())


def _check(
    vault: Vault, commitment: Commitment, model: str, look: LookOptions, settings: dict[str, Any]
) -> SuspectCheck:
    """``zkwm.owner.check.check`` with a progress line."""
    from zkwm.data import load_data
    from zkwm.owner.check import answers_given, check
    from zkwm_cli.terminal import ProgressLine
    from zkwm_protocols.policy import Policy

    tried = look.functions_tried or 1 + answers_given(vault.state, commitment)
    line = ProgressLine()
    try:
        with usage_errors():
            return check(
                vault,
                commitment,
                model,
                policy=Policy(look.threshold_bits, tried),
                argument=not look.no_argument,
                test_data=None if look.test_data is None else load_data(look.test_data),
                progress=lambda done, count: line.update(f"asking the suspect: {done} of {count}"),
                **settings,
            )
    finally:
        line.end()
