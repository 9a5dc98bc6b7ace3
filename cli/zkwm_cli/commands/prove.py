"""``zkwm prove``: the owner answers a challenge, once he has seen what that releases.

What is shown and asked before is in ``zkwm_cli.consent``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from zkwm_cli.artifacts import Output, read_parsed, require_one_stdin, tell_result
from zkwm_cli.options import (
    FILE,
    commitment_option,
    force_option,
    json_option,
    output_option,
    passphrase_option,
    vault_option,
)

if TYPE_CHECKING:
    from zkwm.owner.disclosure import Disclosure
    from zkwm_protocols.argument_response import Response
    from zkwm_protocols.challenge import Challenge


@click.command("prove", short_help="Owner: answer a challenge, by opening triggers or without.")
@vault_option
@commitment_option
@click.option(
    "--challenge", required=True, type=FILE, metavar="FILE", help="The challenge; - is stdin."
)
@output_option("FILE", "The proof")
@click.option(
    "--zero-knowledge",
    is_flag=True,
    help="Open nothing: show that enough triggers match. Takes --model, and a challenge for it.",
)
@click.option(
    "--model",
    type=click.Path(),
    metavar="FILE",
    help="With --zero-knowledge: the suspect's ONNX file.",
)
@click.option(
    "--test-data",
    type=click.Path(),
    metavar="DATA",
    help="With --zero-knowledge: test data of the suspect's task, to see that it is a classifier "
    "(default: Fashion-MNIST where it fits).",
)
@click.option(
    "--refuse",
    is_flag=True,
    help="With --zero-knowledge: tell the judge how many blocks are unopened, where he asks for "
    "more.",
)
@click.option(
    "--exceed-limit",
    is_flag=True,
    help="With --zero-knowledge: release more than 16 bits about this commitment.",
)
@click.option(
    "--judge-fingerprint",
    metavar="FP",
    help="The judge's fingerprint as you know it from elsewhere; another judge gets nothing.",
)
@click.option(
    "--trusted-judges",
    type=click.Path(),
    metavar="FILE",
    help="Fingerprints of judges that you trust, one a line.",
)
@click.option("--yes", is_flag=True, help="Accept the judge that the challenge names, unasked.")
@force_option
@passphrase_option
@json_option
def command(
    vault: str,
    commitment: str,
    challenge: str,
    output: str,
    zero_knowledge: bool,
    model: str | None,
    test_data: str | None,
    refuse: bool,
    exceed_limit: bool,
    judge_fingerprint: str | None,
    trusted_judges: str | None,
    yes: bool,
    force: bool,
    passphrase_file: str | None,
    as_json: bool,
) -> None:
    """Open whole blocks of triggers to the judge who asks, and record that in the vault.

    What is opened is spent: whoever sees it can train on it, so it serves in no case about a model
    that is published later. First look at the suspect, the purpose and the judge, and compare his
    fingerprint with what he told you through another channel. A judge whom this vault knows needs
    no second confirmation. The same challenge again gives the same bytes and opens nothing more.

    With --zero-knowledge nothing is opened: the proof shows that at least so many triggers as the
    challenge says match, and nothing else, to anybody who reads it. The vault counts what is told
    in this way, one bit an answer.
    """
    require_one_stdin(commitment=commitment, challenge=challenge, passphrase_file=passphrase_file)
    if sum((judge_fingerprint is not None, trusted_judges is not None, yes)) > 1:
        raise click.UsageError("say one of --judge-fingerprint, --trusted-judges and --yes")
    if not zero_knowledge and (model, test_data, refuse, exceed_limit) != (
        None,
        None,
        False,
        False,
    ):
        raise click.UsageError(
            "--model, --test-data, --refuse and --exceed-limit go with --zero-knowledge"
        )
    inputs = (vault, commitment, challenge, trusted_judges, model)
    target = Output(output, force=force, as_json=as_json, inputs=inputs)

    from zkwm.owner.prove import disclosure, prove
    from zkwm.owner.vault import Vault
    from zkwm_cli.consent import confirm_limit, confirmed, read_trusted, show
    from zkwm_cli.passphrases import passphrase
    from zkwm_protocols import challenge as challenges
    from zkwm_protocols import commitment as commitments

    committed = read_parsed(commitment, commitments.FILE_LIMIT, commitments.Commitment.from_bytes)
    asked = read_parsed(challenge, challenges.FILE_LIMIT, challenges.Challenge.from_bytes)
    _require_way(asked, zero_knowledge=zero_knowledge, model=model, refuse=refuse)
    trusted = None if trusted_judges is None else read_trusted(trusted_judges)
    own = Vault.open(vault, passphrase(passphrase_file, of=vault))
    shown = disclosure(own, committed, asked)
    show(shown, committed.header.block_size)
    options: dict[str, Any] = {}
    if zero_knowledge:
        exceed_limit = confirm_limit(shown, exceed_limit)
        options = {"refuse": refuse, "exceed_limit": exceed_limit}
    fingerprint = confirmed(shown, judge_fingerprint, trusted, yes=yes)
    if zero_knowledge and not refuse and not shown.repeated:
        from zkwm_cli.proof_progress import LongProof

        with LongProof(model, test_data, asked, committed) as work:
            proof = prove(
                own, committed, asked, judge_fingerprint=fingerprint, **options, **work.options
            )
    else:
        proof = prove(own, committed, asked, judge_fingerprint=fingerprint, **options)
    target.write(proof.to_bytes())
    _tell(proof, shown, vault)
    tell_result(
        as_json,
        "prove",
        path=output,
        digest=proof.digest.hex(),
        challenge=asked.digest.hex(),
        commitment=committed.digest.hex(),
        judge=shown.judge_fingerprint,
        blocks=list(proof.blocks),
        blocks_spent=sorted({*shown.blocks_spent, *(() if zero_knowledge else proof.blocks)}),
        block_count=shown.block_count,
        repeated=shown.repeated,
        **(_argued(shown, proof) if zero_knowledge else {}),
    )


def _require_way(
    asked: Challenge, *, zero_knowledge: bool, model: str | None, refuse: bool
) -> None:
    """Raise UsageError unless the owner wants what the challenge asks for."""
    from zkwm_protocols.challenge import ARGUMENT
    from zkwm_protocols.errors import UsageError

    if (asked.mode == ARGUMENT) != zero_knowledge:
        raise UsageError(
            "this challenge asks for a zero-knowledge argument, not for an opening"
            if asked.mode == ARGUMENT
            else "this challenge asks to open triggers, and knows no zero-knowledge way",
            hint="add --zero-knowledge --model FILE"
            if asked.mode == ARGUMENT
            else "ask the judge for a challenge made with --zero-knowledge",
        )
    if zero_knowledge and model is None and not refuse:
        raise UsageError(
            "an argument takes the suspect's file", hint="say --model with the suspect's ONNX file"
        )


def _tell(proof: Response, shown: Disclosure, vault: str) -> None:
    """What has left, and that it is recorded."""
    from zkwm_cli.consent import name_blocks
    from zkwm_cli.terminal import note

    if shown.argument is None:
        note(
            "answered before: the same response again, and nothing more was opened"
            if shown.repeated
            else f"opened to this judge, recorded in {vault}: {name_blocks(proof.blocks)}"
        )
    elif shown.repeated:
        note("answered before: the same response again, and no further bit is released")
    else:
        count = len(shown.argument.bits) + 1
        what = f"a proof about {name_blocks(proof.blocks)}" if proof.blocks else "a refusal"
        note(
            f"{what}, recorded in {vault}; nothing was opened; bits released about this "
            f"commitment: {count}"
        )


def _argued(shown: Disclosure, proof: Response) -> dict[str, object]:
    """What only an answer in zero knowledge has, as JSON values."""
    assert shown.argument is not None
    return {
        "mode": "argument" if proof.blocks else "refusal",
        "network": shown.argument.network.hex(),
        "least_matches": shown.argument.least_matches,
        "bits_released": len(shown.argument.bits) + (not shown.repeated),
    }
