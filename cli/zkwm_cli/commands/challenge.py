"""``zkwm challenge``: a judge asks an owner to open triggers, or to prove without opening any."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from zkwm_cli.artifacts import OutputOptions, print_result, require_one_stdin
from zkwm_cli.challenge_options import CaseTerms, QuestionOptions, test_data_option
from zkwm_cli.options import commitment_option, options, usage_errors
from zkwm_cli.secret_options import JudgeOptions
from zkwm_cli.suspect_options import ExtractionOptions, PreprocessingOptions, SuspectOptions
from zkwm_cli.trust_options import DateTerms, read_commitment

if TYPE_CHECKING:
    from zkwm.judge.judge import Judge
    from zkwm.quantizer.network_agreement import Agreement
    from zkwm.suspects import Suspect
    from zkwm_protocols.challenge import Challenge
    from zkwm_protocols.commitment import Commitment


@click.command("challenge", short_help="Judge: ask an owner to prove their mark in a suspect.")
@options(
    commitment=commitment_option(),
    suspect=SuspectOptions,
    extraction=ExtractionOptions,
    question=QuestionOptions,
    judge=JudgeOptions,
    terms=CaseTerms,
    dates=DateTerms,
    preprocessing=PreprocessingOptions,
    test_data=test_data_option(),
    output=OutputOptions,
)
def command(
    commitment: str,
    suspect: SuspectOptions,
    extraction: ExtractionOptions,
    question: QuestionOptions,
    judge: JudgeOptions,
    terms: CaseTerms,
    dates: DateTerms,
    preprocessing: PreprocessingOptions,
    test_data: str | None,
    output: OutputOptions,
) -> None:
    """Fix everything about a case, sign it, and let the owner answer.

    A challenge names the commitment, the suspect (by the digest of its file, or its address), how
    images are fed to it, how many triggers must be opened and what evidence you demand. It is
    signed, so it needs your secret key. With --zero-knowledge the owner shows that enough of their
    triggers match, and opens none; that takes the suspect's ONNX file.

    \b
        zkwm challenge --commitment acme.commitment --model marked/model.onnx \\
            --reveal 50 --judge judge.key.pub --output case.challenge
        zkwm challenge --commitment acme.commitment --model suspect.onnx \\
            --zero-knowledge --judge judge.key.pub --output case.challenge
    """
    question.require_consistent()
    dates.require_consistent()
    require_one_stdin(
        commitment=commitment, class_map=terms.class_map, suspect_classes=terms.suspect_classes,
        passphrase_file=judge.passphrase_file,
    )  # fmt: skip
    target = output.target(
        *(commitment, suspect.model, judge.judge, judge.secret, terms.class_map),
        *(terms.suspect_classes, preprocessing.preprocessor_config, extraction.reference),
        *(extraction.probes, question.images, test_data, suspect.template),
    )
    question.announce(suspect.model)
    from zkwm.suspects import open_suspect
    from zkwm_cli.task_check import TaskCheck

    committed = _read_commitment(commitment, dates.trust)
    terms.require_purpose()
    fixed: dict[str, Any] = terms.fixed(older=dates.older) | dates.fixed()
    fixed["preprocessing"] = preprocessing.read(committed.header.shape)
    fixed["class_map"] = terms.read_class_map()
    check = TaskCheck(test_data)
    if committed.class_names is not None or terms.suspect_classes is not None or check.named:
        fixed["suspect_classes"] = terms.read_suspect_classes(suspect.model)
    protocol = terms.protocol(fixed.get("suspect_classes"))
    settings = suspect.settings() | extraction.settings() | protocol
    key, shape = judge.open(), committed.header.shape
    agreements: list[Agreement] = []
    opened = open_suspect(suspect.model, shape=shape, outputs=terms.outputs, **settings)
    with closing(opened) as asked, check, usage_errors():
        issue = partial(_issuer(key, question, agreements), **fixed)
        challenge = issue(committed, asked, test_data=check.data)
    target.write(challenge.to_bytes())
    check.tell(challenge)
    _tell(challenge, committed, agreements)
    price = _tell_price(opened, challenge, committed) | check.to_json()
    values = _values(challenge, committed, agreements, output.output) | price
    print_result(output.as_json, "challenge", **values)


def _read_commitment(name: str, trust: str | None) -> Commitment:
    """The commitment, its root, signatures and the token of its beacon checked."""
    commitment = read_commitment(name, trust)
    commitment.verify()
    return commitment


def _issuer(
    key: Judge, question: QuestionOptions, agreements: list[Agreement]
) -> Callable[..., Challenge]:
    """``Judge.challenge`` or ``Judge.challenge_argument`` with the question's options bound."""
    from zkwm.data.images import load_images

    if not question.zero_knowledge:
        reveal = question.reopen if question.reveal is None else question.reveal
        return partial(key.challenge, reveal=reveal, statistic=question.statistic)
    return partial(
        key.challenge_argument,
        blocks=question.blocks,
        least_matches=question.least_matches,
        images=None if question.images is None else load_images(question.images, fit=None),
        report=agreements.extend,
    )


def _tell(challenge: Challenge, commitment: Commitment, agreements: list[Agreement]) -> None:
    """The question in one line, how well both networks agree, and what labels mean."""
    from zkwm_cli.terminal import note, warn
    from zkwm_protocols.challenge import ArgumentChallenge
    from zkwm_protocols.opened_words import opened_words
    from zkwm_protocols.suspect_identity import SuspectKind

    triggers, kind = challenge.block_count * commitment.header.block_size, challenge.suspect.kind
    question = (
        f"show that at least {challenge.least_matches} of {triggers} triggers match, and open none,"
        if isinstance(challenge, ArgumentChallenge)
        else f"open {triggers} {opened_words(kind)}{' again' if challenge.reopened_blocks else ''}"
    )
    note(
        f"challenge {challenge.digest.hex()[:16]}: {question} of commitment "
        f"{challenge.commitment.hex()[:16]} for {challenge.suspect.description}"
    )
    if "?" in challenge.suspect.description and kind == SuspectKind.HTTP:
        warn(
            "the whole URL, with all that follows its ?, stands in challenge, verdict and reports: "
            "if there is a key in it, have that replaced, and give keys in --header-file"
        )
    for one in agreements:
        note(f"integer network made from the file: {one.words()}")
    _warn_of_dates(challenge, commitment)
    if kind != SuspectKind.EXTRACTION:  # bits stand for themselves
        _note_class_map(challenge, commitment)
    fingerprint = challenge.judge.fingerprint()
    note(f"tell the owner your key's fingerprint through another channel: {fingerprint}")


def _tell_price(
    suspect: Suspect, challenge: Challenge, commitment: Commitment
) -> dict[str, float | None]:
    """Say what relearning takes at most; return the seconds, None without relearning."""
    from zkwm.judge.relearned import most_relearning_seconds
    from zkwm.suspects import OnnxLimits
    from zkwm_cli.terminal import note
    from zkwm_protocols.ranks import Statistic
    from zkwm_protocols.relearning import FOLDS, Form, most_gradients

    triggers = challenge.block_count * commitment.header.block_size
    seconds = most_relearning_seconds(suspect, triggers)
    if challenge.statistic != Statistic.RELEARNING or seconds is None:
        return {"relearning_seconds": None}
    copies = sum(form.trained for form in Form) * (FOLDS - 1)
    note(
        f"zkwm verify will train {copies} copies of the model: at most "
        f"{most_gradients(triggers):,} gradients of images, {seconds:.0f} seconds on this machine"
    )
    if seconds > OnnxLimits.total_seconds:
        note(
            f"it stops after {OnnxLimits.total_seconds:,.0f} seconds: a model for which relearning "
            "takes longer cannot be checked"
        )
    return {"relearning_seconds": round(seconds, 1)}


def _warn_of_dates(challenge: Challenge, commitment: Commitment) -> None:
    """Say where dates are left out, or all of the commitment's are after the publication."""
    from zkwm.report.visible import quoted
    from zkwm.written_dates import in_words
    from zkwm_cli.terminal import note, warn
    from zkwm_protocols.dates import MOST_SOURCE, Order
    from zkwm_protocols.stated_dates import stated_existence, stated_order

    published, existed = challenge.published, stated_existence(commitment)
    if existed is not None and (published is None or challenge.trust is None):
        needed = " and ".join(
            option
            for option, value in (
                ("--trust", challenge.trust),
                ("--suspect-published", published),
            )
            if value is None
        )
        note(
            "the commitment's file has dates: a verdict says which is older, commitment or model, "
            f"where you give {needed}"
        )
    if published is None or existed is None:
        return
    if stated_order(commitment, published) == Order.NOT_OLDER:
        warn(
            f"the earliest date in the commitment's file is {in_words(existed)}, and the model was "
            f"published {in_words(published.interval)} ({quoted(published.source, MOST_SOURCE)}): "
            "by these dates the commitment is not older and supports no claim; if neither is "
            "wrong, ask the owner for a file with an earlier date before they open anything"
        )


def _values(
    challenge: Challenge, commitment: Commitment, agreements: list[Agreement], path: str
) -> dict[str, Any]:
    """The challenge as JSON values."""
    from zkwm.judge.date_demands import terms_values
    from zkwm.judge.results import suspect_values
    from zkwm_protocols.challenge import ArgumentChallenge
    from zkwm_protocols.class_map import mapped_classes

    argued = challenge if isinstance(challenge, ArgumentChallenge) else None
    names = (challenge.suspect_classes, commitment.class_names)
    return {
        "path": path,
        "digest": challenge.digest.hex(),
        "commitment": challenge.commitment.hex(),
        "judge": challenge.judge.fingerprint(),
        "suspect": suspect_values(challenge.suspect),
        "triggers": challenge.block_count * commitment.header.block_size,
        "blocks": challenge.block_count,
        "owner_choice_bits": challenge.policy.owner_choice_bits,
        "map_bits": challenge.map_bits(commitment),
        "classes": mapped_classes(challenge.class_map, *names),
        "mode": challenge.mode,
        "statistic": challenge.statistic,
        "network": None if argued is None else argued.network.hex(),
        "least_matches": None if argued is None else argued.least_matches,
        "agreement": [agreement.to_json() for agreement in agreements],
        **terms_values(challenge),
    }


def _note_class_map(challenge: Challenge, commitment: Commitment) -> None:
    """Every label and the output that stands for it, unless these are the same numbers."""
    from zkwm.report.visible import visible_name
    from zkwm_cli.terminal import note
    from zkwm_protocols.class_map import mapped_classes

    if challenge.suspect_classes is None and challenge.class_map == tuple(
        range(challenge.suspect.outputs)
    ):
        note("classes: label and output have the same number")
        return
    both = (challenge.suspect_classes, commitment.class_names)
    for one in mapped_classes(challenge.class_map, *both):
        names = "" if one["name"] is None else f" {visible_name(one['name'])!r}"
        output = "" if one["output_name"] is None else f" {visible_name(one['output_name'])!r}"
        note(f"label {one['label']}{names} is output {one['output']}{output}")
    if bits := challenge.map_bits(commitment):
        note(f"the class map follows from no names: {bits} bits are deducted for its choice")
