"""``zkwm registry send``: what was signed goes to a registry's service, with an API key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from zkwm_cli.artifacts import print_result, read_artifact
from zkwm_cli.options import FILE, json_option, option, options

if TYPE_CHECKING:
    from zkwm.service_client.send import Taken


@click.command("send", short_help="Send a signed file to a registry's service.")
@click.argument("file", type=FILE)
@options(
    url=option("--to", required=True, metavar="URL", help="The service, such as https://..."),
    key=option(
        "--key-file",
        type=click.Path(),
        required=True,
        metavar="FILE",
        help="A file with the API key that the service's operator gave you.",
    ),
    statement=option(
        "--statement",
        type=click.Path(),
        metavar="FILE",
        help="With a verdict: its statement (zkwm registry state-verdict). With a commitment: its "
        "owner's, if the file has no log proof.",
    ),
    challenge=option(
        "--challenge",
        type=click.Path(),
        metavar="FILE",
        help="With an owner's withdrawal: the challenge of the claim.",
    ),
    answer_within=option(
        "--answer-within",
        type=click.IntRange(0, 3650 * 86_400),
        metavar="SECONDS",
        help="With a challenge: the owner's time to answer; two weeks without it.",
    ),
    listing=option(
        "--listing", metavar="NAME", help="With a challenge: your own name of the offer."
    ),
    as_json=json_option(),
)
def send(
    file: str,
    url: str,
    key: str,
    statement: str | None,
    challenge: str | None,
    answer_within: int | None,
    listing: str | None,
    as_json: bool,
) -> None:
    """Send FILE: a commitment, a challenge, a proof, a verdict, or an owner's withdrawal.

    The file says itself which claim it is about. Where nobody answers, or the service asks to come
    later, it is sent again; what is there already stays as it is. A verdict goes with the judge's
    statement, a withdrawal with its challenge.

    \b
        zkwm registry send acme.verdict --statement acme.stated \\
            --to https://registry.example --key-file key.txt
    """
    from zkwm.service_client.outgoing import FILE_LIMIT, outgoing
    from zkwm.service_client.send import read_api_key
    from zkwm.service_client.send import send as send_to
    from zkwm_cli.terminal import note
    from zkwm_protocols.challenge import FILE_LIMIT as CHALLENGE_LIMIT
    from zkwm_protocols.cose.statement import STATEMENT_LIMIT

    secret = read_api_key(read_artifact(key, 1_024).decode("ascii", "replace"))
    made = outgoing(
        read_artifact(file, FILE_LIMIT),
        statement=None if statement is None else read_artifact(statement, STATEMENT_LIMIT),
        challenge=None if challenge is None else read_artifact(challenge, CHALLENGE_LIMIT + 64),
        answer_within=answer_within,
        listing=listing,
    )
    taken = send_to(made, url, secret, say=note)
    note(_words(taken))
    print_result(
        as_json,
        "registry-send",
        path=file,
        kind=taken.kind,
        about=taken.about,
        new=taken.new,
        state=taken.state,
    )


def _words(taken: Taken) -> str:
    """What the service took, and how the claim stands."""
    new = "the service took it" if taken.new else "the service has it"
    if taken.state is None:
        return f"{new}: the commitment {taken.about}"
    return f"{new}: the claim {taken.about} is {taken.state}"
