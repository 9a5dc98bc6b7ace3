"""``zkwm registry state-verdict``, ``state-withdrawal``: what a judge and an owner sign for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from zkwm_cli.artifacts import Output, OutputOptions, print_result, read_artifact, read_parsed
from zkwm_cli.options import FILE, challenge_option, option, options
from zkwm_cli.secret_options import JudgeOptions, VaultOptions

if TYPE_CHECKING:
    from zkwm_protocols.cose.statement import SignedStatement


@click.command("state-verdict", short_help="Judge: state a verdict's digest for the log.")
@click.argument("verdict", type=FILE)
@options(
    judge=JudgeOptions,
    body=option(
        "--body",
        type=click.Path(),
        metavar="FILE",
        help="Write what POST /v1/claims/CHALLENGE/verdict takes, too: verdict and statement.",
    ),
    output=OutputOptions,
)
def state_verdict(
    verdict: str, judge: JudgeOptions, body: str | None, output: OutputOptions
) -> None:
    """Sign that you gave VERDICT, which zkwm verify --verdict wrote; the statement has its SHA-256.

    A registry takes a verdict only with its statement, and logs that before it keeps the verdict.

    \b
        zkwm registry state-verdict acme.verdict --judge judge.key \\
            --output acme.stated
        zkwm registry send acme.verdict --statement acme.stated \\
            --to https://registry.example --key-file key.txt
    """
    import base64
    import json

    from zkwm.judge.stated_verdict import state_verdict as state
    from zkwm_protocols.verdict_file import FILE_LIMIT

    target = output.target(verdict, judge.judge)
    beside = None
    if body is not None:
        beside = Output(body, force=output.force, inputs=(verdict, judge.judge, output.output))
    file = read_artifact(verdict, FILE_LIMIT + 64)
    stated = state(judge.open(), file)
    parts = {"verdict": file, "statement": stated.to_bytes()}
    target.write(stated.to_bytes())
    if beside is not None:
        encoded = {name: base64.b64encode(data).decode("ascii") for name, data in parts.items()}
        beside.write(json.dumps(encoded).encode())
    _print(output, stated, "registry-state-verdict")


@click.command("state-withdrawal", short_help="Owner: state that you withdraw a claim.")
@options(owner=VaultOptions, challenge=challenge_option(), output=OutputOptions)
def state_withdrawal(owner: VaultOptions, challenge: str, output: OutputOptions) -> None:
    """Sign that you withdraw the claim of this challenge, about a commitment of your vault.

    It names commitment, suspect and challenge. A registry logs it, and the claim ends undecided.

    \b
        zkwm registry state-withdrawal --vault acme.vault \\
            --challenge acme.challenge --output acme.withdrawal
        zkwm registry send acme.withdrawal --challenge acme.challenge \\
            --to https://registry.example --key-file key.txt
    """
    from zkwm.owner.withdrawal import state_withdrawal as state
    from zkwm_protocols.challenge import FILE_LIMIT, Challenge

    target = output.target(owner.vault, challenge)
    asked = read_parsed(challenge, FILE_LIMIT, Challenge.from_bytes)
    stated = state(owner.open(), asked)
    target.write(stated.to_bytes())
    _print(output, stated, "registry-state-withdrawal")


def _print(output: OutputOptions, stated: SignedStatement, command: str) -> None:
    """What was stated, by which key."""
    from zkwm.report.stated import stated_in_words
    from zkwm_cli.terminal import note

    note(f"wrote {output.output}: {stated_in_words(stated.content)}")
    print_result(
        output.as_json,
        command,
        path=output.output,
        key=stated.key.fingerprint(),
        subject=stated.content.subject,
        says=stated_in_words(stated.content),
    )
