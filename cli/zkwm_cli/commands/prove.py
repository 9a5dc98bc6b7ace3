"""``zkwm prove``: the owner answers a challenge, once they have seen what that releases.

What the owner is shown and asked first is in ``zkwm_cli.consent``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from zkwm_cli.artifacts import Output, OutputOptions, print_result, read_parsed, require_one_stdin
from zkwm_cli.consent import ConsentOptions, name_blocks, show, warn_of_mark
from zkwm_cli.further_consent import (
    confirm_again,
    confirm_last,
    confirm_limit,
    confirm_not_older,
)
from zkwm_cli.options import (
    challenge_option,
    commitment_option,
    data_set_option,
    option,
    options,
    read_numbers,
)
from zkwm_cli.secret_options import VaultOptions
from zkwm_cli.trust_options import label_trust_option, read_commitment

if TYPE_CHECKING:
    from zkwm.owner.disclosure import Disclosure
    from zkwm.owner.vault import Vault
    from zkwm_protocols.argument_response import Response
    from zkwm_protocols.challenge import Challenge
    from zkwm_protocols.commitment import Commitment


@dataclass(frozen=True)
class ArgumentOptions:
    """An answer in zero knowledge, and what it takes."""

    zero_knowledge: bool = option(
        "--zero-knowledge",
        is_flag=True,
        help="Open nothing: show that enough triggers match. Takes --model, and a challenge for "
        "it.",
    )
    model: str | None = option(
        "--model",
        type=click.Path(),
        metavar="FILE",
        help="With --zero-knowledge: the suspect's ONNX file.",
    )
    test_data: str | None = data_set_option(
        "--test-data",
        metavar="DATA",
        help="With --zero-knowledge: test data of the suspect's task, to see that it is a "
        "classifier (default: Fashion-MNIST where it fits).",
    )
    refuse: bool = option(
        "--refuse",
        is_flag=True,
        help="With --zero-knowledge: tell the judge how many blocks are unopened, where they ask "
        "for more.",
    )
    exceed_limit: bool = option(
        "--exceed-limit",
        is_flag=True,
        help="With --zero-knowledge: release more than 16 bits about this commitment.",
    )

    ray: bool = option(
        "--ray",
        is_flag=True,
        help="With --zero-knowledge: share the work on your own Ray cluster (RAY_ADDRESS), which "
        "sees the triggers.",
    )

    def require_consistent(self) -> None:
        """Raise a usage error for options of an argument where none was asked for."""
        given = (self.model, self.test_data, self.refuse, self.exceed_limit, self.ray)
        if not self.zero_knowledge and given != (None, None, False, False, False):
            raise click.UsageError(
                "--model, --test-data, --refuse, --exceed-limit and --ray go with --zero-knowledge"
            )
        if self.ray:
            from zkwm.ray_cluster import load_ray

            load_ray()

    def require_asked(self, challenge: Challenge) -> None:
        """Raise UsageError unless the challenge asks for the way that the owner chose."""
        from zkwm_protocols.challenge import Mode
        from zkwm_protocols.errors import UsageError

        argument = challenge.mode == Mode.ARGUMENT
        if argument and not self.zero_knowledge:
            raise UsageError(
                "this challenge asks for a zero-knowledge argument, not for an opening",
                hint="add --zero-knowledge --model FILE",
            )
        if self.zero_knowledge and not argument:
            raise UsageError(
                "this challenge asks to open triggers, not for a zero-knowledge argument",
                hint="ask the judge for a challenge made with --zero-knowledge",
            )
        if self.zero_knowledge and self.model is None and not self.refuse:
            raise UsageError(
                "an argument takes the suspect's file",
                hint="give --model with the suspect's ONNX file",
            )


@dataclass(frozen=True)
class OpeningOptions:
    """Which blocks an opening takes."""

    blocks: tuple[int, ...] = option(
        "--blocks",
        callback=read_numbers,
        metavar="N,N,...",
        help="Open these blocks instead of the first that are free; zkwm check says which show "
        "more. The evidence pays for any choice.",
    )

    def chosen(self, argument: ArgumentOptions) -> tuple[int, ...] | None:
        """The blocks in ascending order; None without a choice. Raises a usage error."""
        if self.blocks and argument.zero_knowledge:
            raise click.UsageError("--blocks goes without --zero-knowledge, which opens none")
        return tuple(sorted(self.blocks)) or None


@click.command("prove", short_help="Owner: answer a challenge, by opening triggers or without.")
@options(
    owner=VaultOptions,
    commitment=commitment_option(),
    challenge=challenge_option(),
    trust=label_trust_option(),
    opening=OpeningOptions,
    argument=ArgumentOptions,
    consent=ConsentOptions,
    output=OutputOptions,
)
def command(
    owner: VaultOptions,
    commitment: str,
    challenge: str,
    trust: str | None,
    opening: OpeningOptions,
    argument: ArgumentOptions,
    consent: ConsentOptions,
    output: OutputOptions,
) -> None:
    """Open whole blocks of triggers to the judge who asks, and record that in the vault.

    Opened are the first blocks that are free, or those that you name (--blocks): this command asks
    no model, so it does not know which ones show most. zkwm check does, for a model's file.
    What is opened is spent: whoever sees it can train on it, so it serves in no case about a model
    that is published later. First look at the suspect, the purpose and the judge, and compare their
    fingerprint with what they told you through another channel. A judge known to this vault needs
    no second confirmation, but a second opening about a suspect does (--again), and so does the
    last one (--last), and one for which the commitment is too young (--not-older). The same
    challenge again gives the same bytes and opens nothing more.

    With --zero-knowledge nothing is opened: the proof shows that at least as many triggers as the
    challenge demands match in the integer network made from the suspect's file, and nothing else.
    It is sealed to nobody. Each answer releases one bit, which the vault counts.
    """
    require_one_stdin(
        commitment=commitment, challenge=challenge, passphrase_file=owner.passphrase_file
    )
    consent.require_one_way()
    argument.require_consistent()
    blocks = opening.chosen(argument)
    inputs = (owner.vault, commitment, challenge, consent.trusted_judges, argument.model)
    target = output.target(*inputs)

    from zkwm.owner.consent import Consent
    from zkwm.owner.prove import disclosure
    from zkwm_protocols import challenge as challenges

    committed = read_commitment(commitment, trust)
    asked = read_parsed(challenge, challenges.FILE_LIMIT, challenges.Challenge.from_bytes)
    argument.require_asked(asked)
    trusted = consent.read_trusted()
    vault = owner.open()
    consent.accept_older_copy(vault)
    release = disclosure(vault, committed, asked, blocks=blocks)
    seen = warn_of_mark(vault)
    show(release, committed, asked)
    exceed = _confirm_limit(release, argument)
    again = confirm_again(release, consent.again)
    last = confirm_last(release, consent.last)
    not_older = confirm_not_older(release, consent.not_older)
    fingerprint = consent.confirm(release, trusted)
    settings: dict[str, Any] = {
        "judge_fingerprint": fingerprint,
        "consent": Consent(again, last, exceed, not_older, blocks),
    }  # fmt: skip
    if release.argument is not None:
        settings["refuse"] = argument.refuse
    proof = _prove(vault, committed, asked, argument, release, settings)
    warn_of_mark(vault, seen)
    _write(target, proof, owner.vault)
    _print(proof, release, owner.vault, output)


def _write(target: Output, proof: Response, vault: str) -> None:
    """Write the response. Raises CouldNotCheck, which says that it is recorded, not lost."""
    from zkwm_protocols.errors import CouldNotCheck

    try:
        target.write(proof.to_bytes())
    except CouldNotCheck as error:
        error.hint = error.hint or (
            f"the response is recorded in {vault}: make room, or choose another --output, and run "
            "the command again; it gives the same bytes and releases nothing more"
        )
        raise


def _confirm_limit(release: Disclosure, options: ArgumentOptions) -> bool:
    """Whether the owner lets an argument exceed the limit of released bits."""
    if release.argument is None:
        return False
    return confirm_limit(release, release.argument, options.exceed_limit)


def _prove(
    vault: Vault,
    commitment: Commitment,
    challenge: Challenge,
    options: ArgumentOptions,
    release: Disclosure,
    settings: dict[str, Any],
) -> Response:
    """The answer; for a new argument the network is derived first, and progress is shown."""
    from zkwm.owner.prove import prove

    model = options.model
    if model is None or options.refuse or release.repeated:
        return prove(vault, commitment, challenge, **settings)
    from zkwm_cli.proof_progress import LongProof

    with LongProof(model, options.test_data, challenge, commitment, ray=options.ray) as work:
        return prove(vault, commitment, challenge, **settings, **work.options)


def _print(proof: Response, release: Disclosure, vault: str, output: OutputOptions) -> None:
    """What was released and recorded, and the same in JSON."""
    from zkwm_cli.terminal import note

    opened = () if release.argument is not None else proof.blocks
    note(_summary(proof, release, vault))
    print_result(
        output.as_json,
        "prove",
        path=output.output,
        digest=proof.digest.hex(),
        challenge=proof.challenge.hex(),
        commitment=proof.commitment.hex(),
        judge=release.judge_fingerprint,
        blocks=list(proof.blocks),
        blocks_spent=sorted({*release.blocks_spent, *opened}),
        block_count=release.block_count,
        disputes_left=release.disputes_after,
        repeated=release.repeated,
        **_argument_values(release, proof),
    )


def _summary(proof: Response, release: Disclosure, vault: str) -> str:
    """What was released, and where that is recorded, in one line."""
    if release.argument is None:
        if release.repeated:
            return "answered before: the same response again, and nothing more was opened"
        return f"opened to this judge, recorded in {vault}: {name_blocks(proof.blocks)}"
    if release.repeated:
        return "answered before: the same response again, and no further bit is released"
    kind = f"a proof about {name_blocks(proof.blocks)}" if proof.blocks else "a refusal"
    return (
        f"{kind}, recorded in {vault}; nothing was opened; bits released about this commitment: "
        f"{len(release.argument.bits) + 1}"
    )


def _argument_values(release: Disclosure, proof: Response) -> dict[str, object]:
    """JSON values that only an answer in zero knowledge has."""
    if release.argument is None:
        return {}
    return {
        "mode": "argument" if proof.blocks else "refusal",
        "network": release.argument.network.hex(),
        "least_matches": release.argument.least_matches,
        "bits_released": len(release.argument.bits) + (not release.repeated),
    }
