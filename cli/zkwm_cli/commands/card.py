"""``zkwm card``: a claim for a model card."""

from __future__ import annotations

import click

from zkwm_cli.artifacts import print_result, read_parsed, require_one_stdin
from zkwm_cli.options import commitment_option, json_option, option, options


@click.command("card", short_help="State in a model card which commitment claims the model.")
@click.argument("model", type=click.Path())
@options(
    commitment=commitment_option(),
    url=option(
        "--url",
        default="",
        metavar="URL",
        help="Where anybody can get the commitment.",
    ),
    card=option(
        "--card",
        type=click.Path(),
        metavar="FILE",
        help="The README.md to write the claim into; else it is printed.",
    ),
    as_json=json_option(),
)
def command(model: str, commitment: str, url: str, card: str | None, as_json: bool) -> None:
    """Make metadata for a model card: this commitment claims this model.

    MODEL is an .onnx file, .safetensors, or a folder with them. The claim has the commitment's and
    the models' digests, the owner's fingerprints, and where the commitment stands in logs (zkwm
    register --log), in the YAML that hubs keep on top of a
    README.md. With --card it is put there: a claim of the same commitment is replaced, and nothing
    else is changed. A missing card is made.

    A card is a statement that anybody can write. It proves nothing; zkwm find reads it.

    \b
        zkwm card marked/model.onnx --commitment acme.commitment --card README.md
    """
    from zkwm.model_card.card import card_claim, weights_left_out, write_claim
    from zkwm.model_card.front_matter import section
    from zkwm_cli.terminal import note
    from zkwm_protocols.commitment import FILE_LIMIT, Commitment

    require_one_stdin(commitment=commitment)
    committed = read_parsed(commitment, FILE_LIMIT, Commitment.from_bytes)
    claim = card_claim(committed, model, url=url)
    if (left := weights_left_out(model)) is not None:
        note(f"{left} is not named: it is of a network of your own, which only its ONNX file fixes")
    if card is not None:
        write_claim(card, claim)
        note(f"{card} states that commitment {claim.commitment.hex()[:16]} claims {model}")
    elif not as_json:
        click.echo(section([claim]), nl=False)
    note("a card proves nothing, and anybody can write one: zkwm find compares it")
    print_result(as_json, "card", path=card, claim=claim.to_map())
