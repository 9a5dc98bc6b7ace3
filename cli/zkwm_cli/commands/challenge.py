"""``zkwm challenge``: a judge asks an owner to open triggers, or to prove without opening any."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from zkwm_cli.artifacts import Output, read_artefact, read_parsed, require_one_stdin, tell_result
from zkwm_cli.options import (
    FILE,
    as_typed,
    commitment_option,
    declared_labels_option,
    force_option,
    json_option,
    output_option,
    passphrase_option,
    read_numbers,
)
from zkwm_cli.suspect_options import (
    asking,
    extracting,
    extraction_options,
    preprocessing_options,
    suspect_options,
)

if TYPE_CHECKING:
    from zkwm.judge.check_agreement import Comparison

CLASS_MAP_LIMIT = 2**20


@click.command("challenge", short_help="Judge: ask an owner to prove his mark in a suspect.")
@commitment_option
@suspect_options
@extraction_options
@click.option(
    "--reveal",
    type=click.IntRange(min=1),
    metavar="N",
    help="Triggers to open, whole blocks (of 50).",
)
@click.option(
    "--zero-knowledge",
    is_flag=True,
    help="Ask for a zero-knowledge argument instead: nothing is opened.",
)
@click.option(
    "--blocks",
    type=click.IntRange(1, 100_000),
    metavar="R",
    help="With --zero-knowledge: blocks that it is about (default: all that are not excluded).",
)
@click.option(
    "--least-matches",
    type=click.IntRange(1, 10_000),
    metavar="K",
    help="With --zero-knowledge: matches to be shown (default: the fewest that suffice).",
)
@click.option(
    "--images",
    type=click.Path(),
    metavar="PATH",
    help="With --zero-knowledge: images on which suspect and integer network are compared "
    "(default: public ones).",
)
@click.option(
    "--judge",
    required=True,
    type=click.Path(),
    metavar="FILE",
    help="Your judge's key (judge.key, or judge.key.pub with judge.key beside it).",
)
@output_option("FILE", "The challenge")
@click.option("--purpose", default="", metavar="TEXT", help="What the owner is told this is for.")
@click.option(
    "--threshold-bits",
    type=click.IntRange(1, 10_000),
    default=40,
    show_default=True,
    metavar="BITS",
    help="Evidence that must be left for 'proven'.",
)
@click.option(
    "--statistic",
    type=click.Choice(["matches", "ranks"]),
    default="matches",
    show_default=True,
    help="What is counted: matches, or how high the suspect's scores rank each label (stronger; "
    "for suspects that give scores). Decide before you know either.",
)
@click.option(
    "--functions-tried",
    type=click.IntRange(1, 1_000_000_000),
    default=1,
    show_default=True,
    metavar="J",
    help="Models, preprocessings and class maps tried on this commitment as far as you know, "
    "this one included.",
)
@click.option(
    "--exclude-blocks",
    callback=read_numbers,
    metavar="N,N,...",
    help="Blocks opened before the suspect was published; they may not be opened again.",
)
@click.option(
    "--class-map",
    type=FILE,
    metavar="FILE",
    help="JSON list: the suspect's output for class 0, 1, 2, ... (default: the same numbers).",
)
@click.option(
    "--owner-chose-class-map",
    is_flag=True,
    help="The owner chose the class map; what that gains him is taken off the evidence.",
)
@click.option(
    "--owner-choice-bits",
    type=click.IntRange(0, 10_000_000),
    default=0,
    metavar="BITS",
    help="Bits of whatever else the owner was allowed to choose, taken off the evidence.",
)
@preprocessing_options
@click.option(
    "--outputs",
    type=click.IntRange(2, 1_000_000),
    metavar="K",
    help="Number of the suspect's outputs (else counted).",
)
@declared_labels_option
@force_option
@passphrase_option
@json_option
def command(
    commitment: str,
    model: str,
    timeout: float | None,
    rate: float | None,
    header_file: str | None,
    watermark: str | None,
    parameter: tuple[str, ...],
    reference: str | None,
    probes: str | None,
    reveal: int | None,
    zero_knowledge: bool,
    blocks: int | None,
    least_matches: int | None,
    images: str | None,
    judge: str,
    output: str,
    purpose: str,
    threshold_bits: int,
    statistic: str,
    functions_tried: int,
    exclude_blocks: tuple[int, ...],
    class_map: str | None,
    owner_chose_class_map: bool,
    owner_choice_bits: int,
    layout: str,
    scale: str,
    mean: tuple[str, ...],
    std: tuple[str, ...],
    outputs: int | None,
    accept_declared_labels: bool,
    force: bool,
    passphrase_file: str | None,
    as_json: bool,
) -> None:
    """Fix everything about a case, sign it, and let the owner answer.

    A challenge names the commitment, the suspect (by the digest of its file, or its address), how
    images are fed to it, how many triggers must be opened and what evidence you demand. It is
    signed, so it needs your secret key. With --zero-knowledge the owner shows that enough of his
    triggers match, and opens none; that takes the suspect's ONNX file.

    \b
        zkwm challenge --commitment acme.commitment --model marked/model.onnx \\
            --reveal 50 --judge judge.key.pub --output case.challenge
        zkwm challenge --commitment acme.commitment --model suspect.onnx \\
            --zero-knowledge --judge judge.key.pub --output case.challenge
    """
    if zero_knowledge == (reveal is not None):
        raise click.UsageError("say one of --reveal and --zero-knowledge")
    if not zero_knowledge and (blocks, least_matches, images) != (None, None, None):
        raise click.UsageError("--blocks, --least-matches and --images go with --zero-knowledge")
    if zero_knowledge and statistic != "matches":
        raise click.UsageError("--statistic ranks goes with --reveal: an argument shows matches")
    require_one_stdin(commitment=commitment, class_map=class_map, passphrase_file=passphrase_file)
    inputs = (commitment, model, judge, judge.removesuffix(".pub"), class_map, reference, probes)
    target = Output(output, force=force, as_json=as_json, inputs=inputs)

    from zkwm.data.images import load_images
    from zkwm.suspects import open_suspect
    from zkwm_cli.judge_keys import open_judge
    from zkwm_cli.terminal import note
    from zkwm_protocols import challenge as challenges
    from zkwm_protocols import commitment as commitments
    from zkwm_protocols.evidence import Policy, class_map_bits
    from zkwm_protocols.schema import require_text
    from zkwm_protocols.suspect_identity import Preprocessing

    committed = read_parsed(commitment, commitments.FILE_LIMIT, commitments.Commitment.from_bytes)
    committed.verify()
    with as_typed():
        preprocessing = Preprocessing(layout=layout, scale=scale, mean=mean, std=std)
        require_text(purpose, challenges.MAXIMUM_PURPOSE)
    chosen = None if class_map is None else _read_class_map(class_map)
    options = {
        **asking(timeout, rate, header_file),
        **extracting(watermark, parameter, reference, probes),
    }
    key = open_judge(judge, passphrase_file)
    suspect = open_suspect(model, shape=committed.header.shape, outputs=outputs, **options)
    try:
        if owner_chose_class_map:
            owner_choice_bits += class_map_bits(
                suspect.identity.outputs, committed.header.class_count
            )
        terms: dict[str, Any] = {
            "purpose": purpose,
            "preprocessing": preprocessing,
            "class_map": chosen,
            "policy": Policy(
                threshold_bits=threshold_bits,
                functions_tried=functions_tried,
                owner_choice_bits=owner_choice_bits,
                accept_declared_labels=accept_declared_labels,
            ),
            "excluded_blocks": exclude_blocks,
        }
        agreements: list[Comparison] = []
        if reveal is None:
            shown = None if images is None else load_images(images)
            with as_typed():
                challenge = key.challenge_argument(
                    committed,
                    suspect,
                    blocks=blocks,
                    least_matches=least_matches,
                    images=shown,
                    report=agreements.extend,
                    **terms,
                )
        else:
            with as_typed():
                challenge = key.challenge(
                    committed, suspect, reveal=reveal, statistic=statistic, **terms
                )
    finally:
        suspect.close()
    target.write(challenge.to_bytes())
    fingerprint = challenge.judge.fingerprint()
    triggers = challenge.block_count * committed.header.block_size
    wanted = (
        f"open {triggers} triggers"
        if reveal
        else f"show that at least {challenge.least_matches} of {triggers} triggers match, and open "
        "none,"
    )
    note(
        f"challenge {challenge.digest.hex()[:16]}: {wanted} of commitment "
        f"{challenge.commitment.hex()[:16]} for {challenge.suspect.description}"
    )
    for one in agreements:
        note(f"suspect and integer network agree on {one.agreeing} of {one.asked} {one.kind}")
    note(f"tell the owner your key's fingerprint through another channel: {fingerprint}")
    tell_result(
        as_json,
        "challenge",
        path=output,
        digest=challenge.digest.hex(),
        commitment=challenge.commitment.hex(),
        judge=fingerprint,
        suspect={
            "kind": challenge.suspect.kind,
            "digest": challenge.suspect.digest.hex(),
            "description": challenge.suspect.description,
            "outputs": challenge.suspect.outputs,
        },
        triggers=triggers,
        blocks=challenge.block_count,
        owner_choice_bits=owner_choice_bits,
        mode=challenge.mode,
        statistic=challenge.statistic,
        network=None if challenge.network is None else challenge.network.hex(),
        least_matches=challenge.least_matches,
        agreement=[vars(agreement) for agreement in agreements],
    )


def _read_class_map(name: str) -> tuple[int, ...]:
    """A JSON list of whole numbers. Raises Malformed for anything else."""
    from zkwm_protocols.errors import Malformed

    try:
        values = json.loads(read_artefact(name, CLASS_MAP_LIMIT))
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, list) or not all(type(value) is int for value in values):
        raise Malformed(
            f"{name} is no class map",
            hint="write a JSON list with the suspect's output for each class, such as [0, 2, 1]",
        )
    return tuple(values)
