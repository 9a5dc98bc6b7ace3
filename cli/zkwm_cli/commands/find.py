"""``zkwm find``: which commitment claims a model, by its card."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from zkwm_cli.artifacts import print_result
from zkwm_cli.exits import one_line, print_zkwm_error
from zkwm_cli.layout import fit
from zkwm_cli.options import json_option, option, options

if TYPE_CHECKING:
    from zkwm.model_card.find import ClaimFinding

_CAUTION = "a card is what somebody wrote, and anybody can write one: no claim is proven by it"


@click.command("find", short_help="Read in a model's card which commitment claims it.")
@click.argument("model", type=click.Path(exists=True))
@options(
    card=option(
        "--card",
        type=click.Path(),
        metavar="FILE",
        help="The card, where it is not the README.md beside the model.",
    ),
    commitment=option(
        "--commitment",
        type=click.Path(),
        multiple=True,
        metavar="FILE",
        help="A commitment to compare with, besides those that lie beside the model.",
    ),
    as_json=json_option(),
)
def command(model: str, card: str | None, commitment: tuple[str, ...], as_json: bool) -> None:
    """Show which commitments claim MODEL, as its card says, and check what is at hand.

    MODEL is an .onnx file, .safetensors, or a folder with them. The digest in the card is compared
    with the model's, the commitment with its digest, signatures and the owner's fingerprints.
    Nothing is fetched from the network.

    Exit code 0 when a claim names this model and nothing differs, else 3. A card proves nothing.

    \b
        zkwm find marked/ --commitment acme.commitment
    """
    from zkwm.model_card.card import find_claims
    from zkwm_protocols.errors import CouldNotCheck

    found = find_claims(model, card=card, commitments=commitment)
    if not as_json:
        _print(found.findings)
    print_result(
        as_json,
        "find",
        card=str(found.card),
        models=[
            {"file": one.name, "kind": one.kind, "digest": None if one.digest is None
             else one.digest.hex(), "problem": one.problem or None} for one in found.models
        ],
        claims=[_json(finding) for finding in found.findings],
        caution=_CAUTION,
    )  # fmt: skip
    problem = None
    if not found.ours:
        problem = CouldNotCheck(
            f"no claim in {found.card} names this model",
            hint="ask its seller for the card of exactly these files, or for their commitment",
        )
    elif not found.agrees:
        problem = CouldNotCheck(
            "a claim about this model and what is here differ",
            hint="get model, card and commitment again from where they came",
        )
    if problem is not None:
        raise click.exceptions.Exit(print_zkwm_error(problem, as_json=False))


def _print(findings: tuple[ClaimFinding, ...]) -> None:
    """Claims and comparisons for people, and what a card is worth."""
    for finding in findings:
        claim = finding.claim
        what = "claims this model" if finding.names_model else "claims another model"
        click.echo(f"commitment {claim.commitment.hex()} {what}, the card says")
        rows = [("owner", f"{key} (as the card states)") for key in claim.owner]
        rows += [("at", f"{claim.url} (as the card states)")] if claim.url else []
        rows += [
            ("in the log", f"{one.log}, entry {one.index:,} (as the card states)")
            for one in claim.logs
        ]
        rows += [(f"{one.subject} {one.outcome}", one.words) for one in finding.comparisons]
        for name, value in rows:
            click.echo(fit(f"  {name:<24}  {one_line(value)}", sys.stdout))
    text = (
        f"{_CAUTION}\nnot checked: whether the owner's fingerprint is that of who they say they "
        "are (compare it with the one that they published), and whether the model carries their "
        "watermark (zkwm verify)"
    )
    click.echo(fit(text, sys.stdout))


def _json(finding: ClaimFinding) -> dict[str, Any]:
    """A claim with its comparisons as JSON values."""
    return {
        "claim": finding.claim.to_map(),
        "names_model": finding.names_model,
        "comparisons": [
            {"subject": one.subject, "outcome": one.outcome, "words": one.words}
            for one in finding.comparisons
        ],
    }
