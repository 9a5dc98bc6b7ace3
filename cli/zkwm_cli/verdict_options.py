"""Options of ``zkwm verify``: files of the case, its particulars, what is accepted and written."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zkwm_cli.artifacts import STANDARD, Output, read_artifact, read_parsed
from zkwm_cli.options import (
    FILE,
    challenge_option,
    commitment_option,
    declared_labels_option,
    force_option,
    json_option,
    option,
    passphrase_option,
)
from zkwm_cli.secret_options import PUBLIC_LIMIT, JudgeOptions
from zkwm_cli.trust_options import read_trust_option, trust_option
from zkwm_cli.trusted_judge import typed_fingerprint

if TYPE_CHECKING:
    from zkwm.judge.judge import Judge
    from zkwm.judge.particulars import CaseParticulars, FileRole
    from zkwm_protocols.keys import JudgePublic

REPORT, REPORT_PUBLIC, SIGNED = "--report", "--report-public", "--verdict"
ARGUMENT_MODULES = (
    "zkwm.quantizer.limited_scores", "zkwm_protocols.argument.verifier", "zkwm.triggers.families",
    "numpy.fft", "numpy.ma",
)  # fmt: skip
"""What checking an argument imports besides."""


def stated(written: str, explanation: str) -> Any:  # noqa: ANN401
    """An option that a verdict repeats as stated."""
    return option(
        written, default="", metavar="TEXT", help=f"{explanation} As stated, not checked."
    )


@dataclass(frozen=True)
class CaseFiles:
    """The three documents of a dispute."""

    commitment: str = commitment_option()
    challenge: str = challenge_option()
    proof: str = option(
        "--proof", required=True, type=FILE, metavar="FILE", help="The owner's answer; - is stdin."
    )

    def names(self, judge: str) -> dict[FileRole, str]:
        """The files' names by role; ``judge`` is that of the public key; stdin has none."""
        from zkwm.judge.particulars import FileRole

        names = {
            FileRole.COMMITMENT: self.commitment,
            FileRole.CHALLENGE: self.challenge,
            FileRole.PROOF: self.proof,
            FileRole.JUDGE_PUBLIC: judge,
        }
        return {role: "" if name == STANDARD else name for role, name in names.items()}

    def read_proof(self) -> bytes:
        """The bytes of the proof, with few imports. Raises CouldNotCheck or Malformed."""
        from zkwm_protocols.response_frame import FILE_LIMIT

        return read_artifact(self.proof, FILE_LIMIT)

    def read_asked(self) -> tuple[bytes, bytes]:
        """The bytes of commitment and challenge. Raises CouldNotCheck or Malformed."""
        from zkwm_protocols import challenge, commitment

        return (
            read_artifact(self.commitment, commitment.FILE_LIMIT),
            read_artifact(self.challenge, challenge.FILE_LIMIT),
        )


@dataclass(frozen=True)
class CheckOptions:
    """What the judge accepts, and the images that are asked beside the triggers."""

    accept_declared_labels: bool = declared_labels_option()
    decoys: str | None = option(
        "--decoys",
        type=click.Path(),
        metavar="PATH",
        help="Natural images of the suspect's task, asked beside the triggers (else public ones). "
        "Other decoys are drawn.",
    )
    trust: str | None = trust_option(
        "Whom you trust to date the commitment: a folder (docs/registration.md). Needed where the "
        "challenge was issued with one."
    )
    images: str | None = option(
        "--images",
        type=click.Path(),
        metavar="PATH",
        help="Images on which suspect and integer network are compared, for a zero-knowledge "
        "argument (default: public ones).",
    )

    def settings(self) -> dict[str, Any]:
        """Keyword arguments of ``Judge.verify``."""
        from zkwm.data.images import load_images

        return {
            "accept_declared_labels": self.accept_declared_labels,
            "decoys": None if self.decoys is None else load_images(self.decoys, fit=None),
            "trust": read_trust_option(self.trust),
            "images": None if self.images is None else load_images(self.images, fit=None),
        }


@dataclass(frozen=True)
class ParticularsOptions:
    """The case as stated: it stands in the verdict, and nobody checks it."""

    case_name: str = stated("--case", "The case, such as a file number.")
    owner_name: str = stated("--owner-name", "Who claims ownership.")
    judge_name: str = stated("--judge-name", "Who judges.")
    suspect_from: str = stated(
        "--suspect-from", "Where the suspect comes from, and how it was obtained."
    )

    def read(self) -> dict[str, CaseParticulars]:
        """Keyword argument of ``Judge.verify``. Raises UsageError for text that is refused."""
        from zkwm.judge.particulars import CaseParticulars

        stated_case = CaseParticulars(
            self.case_name, self.owner_name, self.judge_name, self.suspect_from
        )
        return {"particulars": stated_case}


@dataclass(frozen=True)
class VerdictOptions:
    """How the verdict is shown: text or JSON on stdout, and a page for the court file."""

    report: str | None = option(
        "--report",
        type=click.Path(),
        metavar="FILE",
        help="Also write the verdict as one HTML page, with the opened triggers: for judge and "
        "owner alone.",
    )
    report_public: str | None = option(
        "--report-public",
        type=click.Path(),
        metavar="FILE",
        help="Also write that page without the triggers' pictures, for the parties and the public.",
    )
    verdict: str | None = option(
        "--verdict",
        type=click.Path(),
        metavar="FILE",
        help="Also write the verdict as a file that you sign: anybody checks it with zkwm inspect "
        "FILE --judge judge.key.pub. It holds no images.",
    )
    force: bool = force_option()
    as_json: bool = json_option()

    def outputs(self, inputs: tuple[str, ...], *, public: bool) -> dict[str, Output]:
        """The checked outputs by option: --report, --report-public, --verdict. Raises UsageError.

        ``public`` says that the check has no secret key, which signs a verdict.
        """
        from zkwm_protocols.errors import UsageError

        names = {
            REPORT: self.report,
            REPORT_PUBLIC: self.report_public,
            SIGNED: self.verdict,
        }
        given = {name: path for name, path in names.items() if path is not None}
        for name, path in given.items():
            if path == STANDARD:
                raise click.UsageError(f"standard output carries the verdict; give {name} a file")
        if SIGNED in given and public:
            raise UsageError(
                "a check with a judge's public key has nobody who could sign its verdict",
                hint="leave out --verdict, or, as the judge, give --judge with the secret key",
            )
        if len({os.path.realpath(path) for path in given.values()}) < len(given):
            raise click.UsageError(f"give {' and '.join(given)} a file each")
        return {name: Output(path, force=self.force, inputs=inputs) for name, path in given.items()}


@dataclass(frozen=True)
class CheckerOptions:
    """Who checks: the judge with their secret key, or anybody with the judge's public key."""

    judge: str | None = option(
        "--judge",
        type=click.Path(),
        metavar="FILE",
        help="Your judge's key (judge.key). Or, without being the judge: the judge's public key "
        "(judge.key.pub), with which anybody checks an argument, without a passphrase.",
    )
    judge_fingerprint: str | None = option(
        "--judge-fingerprint",
        metavar="FP",
        help="Instead of --judge, without being the judge: the judge's fingerprint as you know it; "
        "the challenge has to be theirs.",
    )
    passphrase_file: str | None = passphrase_option()

    @property
    def public(self) -> bool:
        """Whether no secret is used: a fingerprint, or a file that is a judge's public key.

        The kind of the file decides, not its name. Raises UsageError unless one of both is given.
        """
        if (self.judge is None) == (self.judge_fingerprint is None):
            raise click.UsageError("give --judge FILE, or --judge-fingerprint FP")
        return self.judge is None or _is_public(self.judge)

    @property
    def files(self) -> tuple[str, ...]:
        """The key files, which no output may replace."""
        if self.judge is None:
            return ()
        return (self.judge, self.judge.removesuffix(".pub"), f"{self.judge}.pub")

    @property
    def public_name(self) -> str:
        """The name of the public key's file, empty where there is none."""
        if self.judge is None or self.public:
            return self.judge or ""
        return f"{self.judge}.pub"

    def open(self, challenge: bytes, argued: bytes | None = None) -> Judge | JudgePublic:
        """The judge, or the public keys of the one who is trusted.

        Args:
            challenge: the bytes of its file.
            argued: those of the commitment, where an argument will be checked: while a key is
                derived, its modules are imported, then the seed of its labels is begun.

        Raises what ``JudgeOptions.open`` raises; for a fingerprint that is not that of the
        challenge's judge InvalidOpening (``challenge.judge``), or Malformed.
        """
        from zkwm_protocols.keys import JudgePublic

        if self.judge is None:
            return self._confirmed(challenge)
        if self.public:
            return read_parsed(self.judge, PUBLIC_LIMIT, JudgePublic.from_bytes)
        options = JudgeOptions(self.judge, self.passphrase_file)
        if argued is None:
            return options.open()
        from zkwm.judge.head_start import begin_label_seed

        return options.open(*ARGUMENT_MODULES, then=partial(begin_label_seed, argued))

    def _confirmed(self, challenge: bytes) -> JudgePublic:
        """The judge of the challenge, who has to have the fingerprint."""
        from zkwm_protocols.challenge import Challenge
        from zkwm_protocols.errors import InvalidOpening

        expected = typed_fingerprint(self.judge_fingerprint or "", "--judge-fingerprint: ")
        judge = Challenge.from_bytes(challenge).judge
        if judge.fingerprint() != expected:
            raise InvalidOpening(
                f"the challenge was issued by another judge, {judge.fingerprint()}",
                hint="compare the fingerprint with what the judge published",
                check="challenge.judge",
            )
        return judge


def _is_public(name: str) -> bool:
    """Whether a file says that it is a judge's public key; False where it cannot be read."""
    try:
        with Path(name).open("rb") as file:
            return file.read(64).startswith(b"zkwm-judge-public/")
    except (OSError, ValueError):
        return False
