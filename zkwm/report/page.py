"""The verdict as one self-contained HTML page that can be printed on A4 and filed.

It loads nothing: no network, script or font; a content security policy in the page forbids them.
Untrusted text is made visible, then escaped by the template. jinja2 is imported on first use.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING

from zkwm.judge.results import CheckStatus, TriggerResult, TriggerStatus
from zkwm.judge.verdict import Outcome, Verdict
from zkwm.report import facts, wording
from zkwm.report.class_list import class_lines
from zkwm.report.figure import null_figure
from zkwm.report.pictures import MAXIMUM_PICTURES, data_uri, side_limit
from zkwm.report.rank_figure import rank_figure
from zkwm.report.visible import by_luck, groups, utc, visible
from zkwm_protocols.suspect_identity import SuspectKind

if TYPE_CHECKING:
    from jinja2 import Template

_SHOWN_CLASSES = 2_000
_MODEL = {
    SuspectKind.ONNX: "MODEL.onnx",
    SuspectKind.SAFETENSORS: "MODEL_FOLDER",
    SuspectKind.HTTP: "https://ADDRESS",
    SuspectKind.EXTRACTION: "MODEL_FOLDER",
}


@dataclass(frozen=True)
class Card:
    """One opened trigger on the page: its result, picture (data URI or empty) and icon."""

    result: TriggerResult
    picture: str
    status: str
    mark: str


@dataclass(frozen=True)
class Pictures:
    """All opened triggers on the page: cards by block, the legend, a note about the pictures."""

    blocks: tuple[tuple[facts.Block, tuple[Card, ...]], ...]
    statuses: tuple[tuple[str, str, str], ...]
    note: str


def render_report(verdict: Verdict) -> str:
    """The report as one HTML document, for every outcome, however little is known."""
    from markupsafe import Markup

    evidence = verdict.evidence
    undecided = verdict.outcome == Outcome.COULD_NOT_CHECK
    figure = ""
    ranked = evidence is not None and evidence.rank_sum is not None
    if ranked and evidence is not None:
        places = [result.rank for result in verdict.triggers]
        figure = rank_figure(places, evidence.class_count)
    elif evidence is not None and not verdict.declared_labels:
        figure = null_figure(evidence, final=not undecided, least=verdict.argued is not None)
    return _template().render(
        verdict=verdict,
        evidence=evidence,
        title=wording.TITLES[verdict.outcome],
        meaning=wording.meaning(verdict),
        words=facts.in_plain_words(verdict),
        warning=wording.declared_warning(verdict),
        undecided=undecided,
        claim=facts.claim(verdict),
        classes=tuple(class_lines(verdict.classes or [], _SHOWN_CLASSES, "the JSON verdict")),
        leaves_failed=any(
            check.id == "opening.leaves" and check.status == CheckStatus.FAILED
            for check in verdict.checks
        ),
        ranked=ranked,
        figure=Markup(figure),  # noqa: S704 - made of numbers and fixed words only
        style=Markup(_resource("report.css")),  # noqa: S704 - this package's own file
        pictures=_pictures(verdict),
        limits=wording.limits(verdict),
        glossary=wording.glossary(verdict),
        command=_command(verdict),
        digests=_digests(verdict),
        commitment=verdict.commitment_digest.hex() if verdict.commitment_digest else "",
        challenge=verdict.challenge.digest.hex() if verdict.challenge else "",
    )


@lru_cache(maxsize=1)
def _template() -> Template:
    """The compiled template with its filters."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        loader=FunctionLoader(_resource),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "visible": visible,
        "groups": groups,
        "utc": utc,
        "bits": _bits,
        "by_luck": by_luck,
    }
    return environment.get_template("report.html.j2")


def _resource(name: str) -> str:
    """A file of the templates folder as text."""
    return resources.files("zkwm.report").joinpath("templates", name).read_text("utf-8")


def _pictures(verdict: Verdict) -> Pictures:
    """Cards, legend and note; pictures reduced and left out as the budget demands."""
    shown = [result for result in verdict.triggers if result.image is not None][:MAXIMUM_PICTURES]
    limit, notes = 0, []
    if facts.extracted(verdict):
        shown = []
        notes.append("The triggers are secret keys, not images, and are not shown.")
    image = shown[0].image if shown else None
    if image is not None:
        channels, height, width = image.shape
        limit = side_limit(len(shown), (channels, height, width))
        if max(height, width) > limit:
            notes.append(
                f"The pictures are reduced to at most {limit} pixels on the longer side; the model "
                f"was asked with the full images of {width} × {height} pixels."
            )
    kept = {result.index for result in shown}
    left_out = sum(result.image is not None for result in verdict.triggers) - len(shown)
    if left_out and shown:
        notes.append(f"Only the first {len(shown):,} are shown as pictures.")
    blocks = tuple(
        (
            block,
            tuple(
                Card(
                    result=result,
                    picture=data_uri(result.image, limit)
                    if result.image is not None and result.index in kept
                    else "",
                    status=wording.STATUSES.get(result.status, result.status),
                    mark=_mark(result.status),
                )
                for result in block.triggers
            ),
        )
        for block in facts.blocks(verdict)
    )
    present = {result.status for result in verdict.triggers}
    statuses = tuple(
        (_mark(status), name, wording.STATUS_MEANINGS[status])
        for status, name in wording.STATUSES.items()
        if status in present
    )
    return Pictures(blocks, statuses, " ".join(notes))


def _bits(hundredths: int) -> str:
    """As ``facts.bits``, with a true minus sign."""
    return facts.bits(hundredths).replace("-", "−")


def _mark(status: str) -> str:
    """The icon of a status: yes, no or unknown."""
    if status == TriggerStatus.MATCH:
        return "yes"
    return "unknown" if status == TriggerStatus.NO_ANSWER else "no"


def _command(verdict: Verdict) -> tuple[str, ...]:
    """The command line in pieces that should not be broken across lines."""
    suspect = None if verdict.challenge is None else verdict.challenge.suspect
    kind = SuspectKind.ONNX if suspect is None else suspect.kind
    return (
        "zkwm verify",
        "--commitment FILE.commitment",
        f"--model {_MODEL[kind]}",
        *(("--watermark NAME",) if kind == SuspectKind.EXTRACTION else ()),
        *(
            ("--reference UNMARKED_MODEL",)
            if kind == SuspectKind.EXTRACTION and _named(verdict)
            else ()
        ),
        *(("--probes DATA",) if _probed(verdict) else ()),
        *(("--template FILE.json",) if suspect is not None and suspect.template else ()),
        *(("--header-file HEADERS",) if suspect is not None and suspect.account else ()),
        "--challenge FILE.challenge",
        "--proof FILE.proof",
        "--judge JUDGE.key",
        *(("--accept-declared-labels",) if verdict.declared_labels_accepted else ()),
        "--report report.html",
    )


def _named(verdict: Verdict) -> bool:
    """Whether the commitment names an unmarked model."""
    return verdict.header is not None and verdict.header.owner_model is not None


def _probed(verdict: Verdict) -> bool:
    """Whether the commitment names the data of which probes are drawn."""
    return verdict.header is not None and verdict.header.probe_data is not None


def _digests(verdict: Verdict) -> tuple[facts.Fact, ...]:
    """Digests that the files must have when this report is checked again."""
    rows = []
    if verdict.commitment_digest is not None:
        rows.append(facts.Fact("Commitment (zkwm inspect)", verdict.commitment_digest.hex(), True))
    challenge = verdict.challenge
    if challenge is not None:
        suspect = {
            SuspectKind.ONNX: "Model (zkwm inspect)",
            SuspectKind.SAFETENSORS: "Model (zkwm inspect)",
            SuspectKind.HTTP: "Model (its address)",
            SuspectKind.EXTRACTION: "Mark and model (SPEC.md 19.3)",
        }[challenge.suspect.kind]
        rows += [
            facts.Fact("Challenge (zkwm inspect)", challenge.digest.hex(), True),
            facts.Fact(suspect, challenge.suspect.digest.hex(), True),
        ]
    return (*rows, *facts.files(verdict))
