"""Hints of the library name arguments of the API in backquotes; here they become options.

One text serves both: ``give the number of its outputs (`outputs`)`` to whoever calls the library,
``(--outputs)`` at the command line.
"""

from __future__ import annotations

import ast
import re

OPTIONS = {
    "accept_declared_labels": "--accept-declared-labels",
    "accept_older_copy()": "--accept-older-copy",
    "adapter": "--adapter",
    "adopt_checkpoint": "--adopt-checkpoint",
    "answer_within": "--answer-within",
    "architecture": "--architecture",
    "card": "--card",
    "challenge": "--challenge",
    "channels": "--channels",
    "extraction": "--watermark",
    "fit": "--fit",
    "gpus": "--gpus",
    "headers": "--header-file",
    "image_seconds": "--timeout",
    "layout": "--layout",
    "listing": "--listing",
    "load_model": "--model-from",
    "logs": "--log",
    "mean": "--mean",
    "model": "--model",
    "older": "--older",
    "output": "--output-name",
    "outputs": "--outputs",
    "overwrite": "--force",
    "published": "--suspect-published",
    "reference": "--reference",
    "refuse": "--refuse",
    "reveal": "--reveal",
    "scale": "--scale",
    "service": "--service",
    "shape": "--shape",
    "statement": "--statement",
    "statistic": "--statistic",
    "std": "--std",
    "suspect_classes": "--suspect-classes",
    "template": "--template",
    "test_data": "--test-data",
    "total_seconds": "--total-timeout",
    "triggers": "--with-triggers",
    "trust": "--trust FOLDER",
    "wait": "--wait SECONDS",
    "Consent.again": "--again",
    "Consent.blocks": "--blocks",
    "Consent.exceed_limit": "--exceed-limit",
    "Consent.last": "--last",
    "Consent.not_older": "--not-older",
    "Judge.challenge": "zkwm challenge --reveal",
    "Judge.verify": "--judge judge.key",
    "Verdict.from_bytes": "zkwm inspect FILE.verdict --judge judge.key.pub",
    "Verdict.signed_by": "--verdict",
    "witness_name": "--name",
}
"""Each argument or method that a hint names, and what a person types for it."""

_QUOTED = re.compile(r"`([A-Za-z_.]+(?:\(\))?)(?:=([^`]*))?`")


def in_options(text: str) -> str:
    """``text`` with each argument between backquotes as its option; unknown ones stay."""
    return _QUOTED.sub(_option, text)


def _option(match: re.Match[str]) -> str:
    """``--layout nhwc`` for ``layout='nhwc'``, ``--refuse`` for ``refuse=True``."""
    name, written = match[1], match[2]
    if name not in OPTIONS:
        return match[0]
    try:
        value = ast.literal_eval(written) if written else True
    except (ValueError, SyntaxError):
        value = written
    if value is True:
        return OPTIONS[name]
    if isinstance(value, tuple):
        # with "=": a mean that begins with a minus would be read as an option
        return f"{OPTIONS[name]}={','.join(map(str, value))}"
    return f"{OPTIONS[name]} {value}"
