"""How a challenge asks the suspect, in words: of which output, by which protocol, fed in which way.

A report shows it, and an owner sees it before they answer.
"""

from __future__ import annotations

from zkwm.report.visible import quoted
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.suspect_identity import Preprocessing, SuspectIdentity, SuspectKind

Named = tuple[str, str, bool]
"""Name and value of a fact, and whether it is a digest."""

_LONGEST = 500
_PROTOCOLS = {
    "zkwm": "zkwm/query/v1",
    "kserve": "Open Inference Protocol (KServe v2)",
    "torchserve": "TorchServe",
    "huggingface": "Hugging Face inference",
    "template": "JSON template of the judge's",
}
_WHOLE_IMAGES = ("zkwm", "torchserve", "huggingface")
"""Protocols that send pixels or pictures, for which no preprocessing can be fixed (SPEC.md 7.1)."""


def question_facts(challenge: Challenge) -> tuple[Named, ...]:
    """Everything but the class map (``zkwm.report.class_list``) that fixes what is asked."""
    suspect = challenge.suspect
    if suspect.kind == SuspectKind.EXTRACTION:  # no image is fed to it
        return (("Bits", "0 or 1 under each key", False),)
    return (
        ("Outputs", f"{suspect.outputs:,}", False),
        *((("Output asked", quoted(suspect.output, _LONGEST), False),) if suspect.output else ()),
        *_endpoint(suspect),
        ("Preprocessing", _fed(challenge), False),
        *_accuracy(challenge),
    )


def _endpoint(suspect: SuspectIdentity) -> tuple[Named, ...]:
    """How an endpoint is asked, and with whose account; nothing for a file."""
    if suspect.kind != SuspectKind.HTTP:
        return ()
    template = suspect.template
    return (
        ("Protocol", _PROTOCOLS[suspect.adapter], False),
        *((("Template digest", template.hex(), True),) if template is not None else ()),
        ("Account", _account(suspect), False),
    )


def _account(suspect: SuspectIdentity) -> str:
    """With which headers an endpoint was asked: their names, never a value."""
    if suspect.account is None:
        return "none: asked without headers of an account"
    names = ", ".join(suspect.account.header_names)
    return (
        f"asked with the headers {names}: the answers are those of this account, which must be "
        "the judge's own, an ordinary customer's, and lent by no party"
    )


def _fed(challenge: Challenge) -> str:
    """How pixels become the suspect's input, or that the service does that itself."""
    suspect = challenge.suspect
    if suspect.kind == SuspectKind.HTTP and suspect.adapter in _WHOLE_IMAGES:
        return "the service's own: it is sent pixels"
    return _preprocessing(challenge.preprocessing)


def _preprocessing(preprocessing: Preprocessing) -> str:
    """Scale, layout, mean and deviation in words."""
    scale = "pixels divided by 255" if preprocessing.scale == "unit" else "pixels 0 to 255"
    text = f"{scale}, layout {preprocessing.layout.upper()}"
    if preprocessing.channels == "bgr":
        text += ", channels blue, green, red"
    if preprocessing.mean:
        text += f", less {' / '.join(preprocessing.mean)}"
        text += f", divided by {' / '.join(preprocessing.std)}"
    return text


def _accuracy(challenge: Challenge) -> tuple[Named, ...]:
    """What the model gets right on images of its task, fed like this, or that nobody measured."""
    accuracy = challenge.test_accuracy
    if accuracy is None:
        return (
            ("Accuracy", "NOT MEASURED: nothing checked that images are fed to it right", False),
        )
    share = 100 * accuracy.right / accuracy.count
    return (
        (
            "Accuracy",
            f"{accuracy.right:,} of {accuracy.count:,} labeled images of its task, fed like this "
            f"({share:.1f} %)",
            False,
        ),
        ("Test data", accuracy.data.hex(), True),
    )
