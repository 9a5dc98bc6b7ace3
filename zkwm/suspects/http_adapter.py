"""What a protocol of endpoints is: the request for one image, and how its reply is read.

One file per protocol; a challenge fixes which one is spoken (SPEC.md 7.1). A new protocol is a
subclass of ``Adapter`` and a line of ``ADAPTERS``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from zkwm.named_classes import load_class
from zkwm.suspects.http_json import ReplyError
from zkwm.suspects.suspect import CHECK, Answer, answer_from_label, answer_from_scores
from zkwm_protocols.errors import SuspectUnusable, UsageError
from zkwm_protocols.suspect_identity import Preprocessing

ADAPTERS = {
    "zkwm": "zkwm.suspects.http_answer:QueryAdapter",
    "kserve": "zkwm.suspects.http_kserve:KserveAdapter",
    "torchserve": "zkwm.suspects.http_torchserve:TorchServeAdapter",
    "huggingface": "zkwm.suspects.http_huggingface:HuggingFaceAdapter",
    "template": "zkwm.suspects.http_template:TemplateAdapter",
}
TEMPLATE_LIMIT = 64 * 1024
"""The most bytes that a template has."""

Reading: TypeAlias = list[float] | int
"""The scores of all outputs in their order, or the number of the output that wins."""


@dataclass(frozen=True)
class Question:
    """The body of a request for one image, its type, and what the path ends in beside the URL's."""

    body: bytes
    content_type: str = "application/json"
    path: str = ""


@dataclass(frozen=True)
class AdapterSettings:
    """What an adapter may need to know.

    Attributes:
        url: the endpoint's.
        shape: (channels, height, width) of an image.
        output: the name of the output that is asked; empty for the only one.
        names: what the suspect calls its outputs, by which replies are read; None where unknown.
        template: the bytes of the template of requests and replies, or None.
        describe: asks the endpoint's URL for what it says of itself (GET), once.
    """

    url: str
    shape: tuple[int, int, int]
    output: str
    names: tuple[str, ...] | None
    template: bytes | None
    describe: Callable[[], bytes]


class Adapter(ABC):
    """One protocol, for one endpoint."""

    names_outputs = False
    """Whether replies may name outputs: the names then belong to what a challenge fixes."""

    template_digest: bytes | None = None
    """The digest of the template, 32 bytes, where there is one."""

    def __init__(self, settings: AdapterSettings) -> None:
        """Raises UsageError for settings that the protocol has no use for, or lacks."""
        self._shape = settings.shape
        self._names = settings.names
        if settings.output:
            raise UsageError("endpoints of this protocol have one output, which has no name")
        self._require_no_template(settings)

    @staticmethod
    def _require_no_template(settings: AdapterSettings) -> None:
        """Raise UsageError where there is a template, which only one protocol has."""
        if settings.template is not None:
            raise UsageError(
                "a template is for endpoints that are asked by it",
                hint="leave `template` out, or add `adapter='template'`",
            )

    def check_preprocessing(self, preprocessing: Preprocessing) -> None:
        """Raise SuspectUnusable unless images can be sent so: by default, plain pixels only."""
        if preprocessing != Preprocessing():
            raise SuspectUnusable(
                "an endpoint of this protocol gets pixels and does its own preprocessing, so none "
                "can be fixed for it",
                hint="challenge it without layout, scale, mean, std and order of channels",
                check=CHECK,
            )

    def counting_preprocessing(self) -> Preprocessing:
        """How the image is fed that counts the outputs, before a preprocessing is known."""
        return Preprocessing()

    @abstractmethod
    def question(self, image: NDArray[np.uint8], preprocessing: Preprocessing) -> Question:
        """The request for one image uint8 (c, h, w)."""

    @abstractmethod
    def read(self, body: bytes, outputs: int | None) -> Reading:
        """The answer in the body of a reply. Raises ReplyError.

        ``outputs`` is the number of outputs, None while the reply is to count them; the caller
        compares it with the number of scores.
        """


def make_adapter(name: str, settings: AdapterSettings) -> Adapter:
    """The adapter of a name in ADAPTERS. Raises UsageError for another, and as its class does."""
    made: Adapter = load_class(ADAPTERS, "protocol of endpoints", name)(settings)
    return made


def answer_from_reply(adapter: Adapter, body: bytes, outputs: int) -> Answer:
    """The answer in the body of a reply; ``outputs`` is the endpoint's number of outputs."""
    try:
        reading = adapter.read(body, outputs)
    except ReplyError as reason:
        return Answer(None, str(reason))
    return answer_from_reading(reading, outputs)


def answer_from_reading(reading: Reading, outputs: int) -> Answer:
    """The answer that a reply was read as."""
    if isinstance(reading, list):
        return answer_from_scores(np.array(reading, np.float64), outputs)
    return answer_from_label(reading, outputs)
