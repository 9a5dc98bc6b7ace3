"""How a verdict can be checked again: how exactly, and with which command."""

from __future__ import annotations

from zkwm.judge.verdict import Verdict
from zkwm_protocols.suspect_identity import SuspectKind

_MODEL = {
    SuspectKind.ONNX: "MODEL.onnx",
    SuspectKind.SAFETENSORS: "MODEL_FOLDER",
    SuspectKind.HTTP: "https://ADDRESS",
    SuspectKind.EXTRACTION: "MODEL_FOLDER",
}
_ROUNDING = (
    "Exactly, on the same software and kind of processor: {what}. Other versions or processors "
    "round differently, which can change an answer whose best scores are almost equal."
)
_EXACTNESS = {
    SuspectKind.ONNX: _ROUNDING.format(what="the judge asks the same file again"),
    SuspectKind.SAFETENSORS: _ROUNDING.format(what="the judge asks the same weights again"),
    SuspectKind.EXTRACTION: _ROUNDING.format(
        what="the judge reads the same bits from the same weights, by the public method of "
        "SPEC.md 19"
    ),
    SuspectKind.HTTP: "Not by asking again: whoever runs the address may have replaced the model, "
    "or may answer otherwise. What it was asked and what it answered is on record, in the JSON "
    "verdict and in the judge's ledger; the command below takes the first answers from there and "
    "asks only for what is missing.",
}
_ARGUED = (
    "Exactly, on every machine: the proof and the integer network are whole numbers. How closely "
    "the file and its network agree is measured again, on the same images; there other versions "
    "or processors may differ in the last digits."
)


def exactness(verdict: Verdict) -> str:
    """How exactly the result comes out again, by kind of suspect; empty where none is known."""
    if verdict.argued is not None:
        return _ARGUED
    return "" if verdict.challenge is None else _EXACTNESS[verdict.challenge.suspect.kind]


def command(verdict: Verdict) -> tuple[str, ...]:
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
        "--judge JUDGE.key" if verdict.argued is None else "--judge JUDGE.key.pub",
        *(("--accept-declared-labels",) if verdict.declared_labels_accepted else ()),
        "--report report.html",
    )


def _named(verdict: Verdict) -> bool:
    """Whether the commitment names an unmarked model."""
    return verdict.header is not None and verdict.header.owner_model is not None


def _probed(verdict: Verdict) -> bool:
    """Whether the commitment names the data of which probes are drawn."""
    return verdict.header is not None and verdict.header.probe_data is not None
