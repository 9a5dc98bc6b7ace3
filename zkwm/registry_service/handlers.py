"""What jobs do: weigh a response against its suspect, and screen a model that is offered.

Each runs its foreign model in processes with limits: the settling process of
``zkwm.marketplace.many``, ONNX Runtime's of ``zkwm.suspects``. A suspect is a URL, which is then a
stranger's (https, public addresses), or the name of a file that the operator has put into one
folder.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from zkwm.marketplace import Claim, Marketplace
from zkwm.outgoing_http.rules import STRANGER
from zkwm.registry_service.jobs import Job
from zkwm.registry_service.worker import Handler
from zkwm.suspects import HttpSettings, OnnxLimits, open_suspect
from zkwm.suspects.location import is_endpoint
from zkwm_protocols.errors import CouldNotCheck, UsageError

VERDICT = "verdict"
SCREENING = "screening"
SECONDS = 3600.0
"""For one job."""
_DECIDED = ("proven", "not proven")
_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}")
_PLAIN = ("output", "adapter")
_LOOK_SECONDS = 0.2
_HINT = "give an https URL at port 443 or 8443, or the name of a file in that folder"


def handlers(market: Marketplace, models: Path | None) -> dict[str, Handler]:
    """What does each kind of job.

    Args:
        market: whose judge decides.
        models: the folder of model files; None for none, so that only endpoints are asked.
    """
    return {
        VERDICT: lambda job, given_up: _settle(market, models, job, given_up),
        SCREENING: lambda job, _: _screen(market, models, job),
    }


def _settle(
    market: Marketplace, models: Path | None, job: Job, given_up: threading.Event
) -> Mapping[str, Any]:
    """Weigh the last answer of a case against its suspect, in another process.

    The verdict is kept in the marketplace; a second run of the same case takes nothing back.
    Raises CouldNotCheck where there is no outcome, UsageError for a case that is not there.
    """
    suspect, options = _suspect(job.payload, models)
    claim = Claim(str(job.payload.get("case", "")), suspect, options=options)
    with market.verify_many([claim], processes=1, seconds=SECONDS) as settling:
        ended = threading.Event()
        watching = threading.Thread(
            target=_cancel_when, args=(settling.cancel, given_up, ended), daemon=True
        )
        watching.start()
        try:
            (settled,) = [*settling] or [None]
        finally:
            ended.set()
            watching.join()
    if settled is None:
        raise CouldNotCheck("the case was given up before it was settled")
    if settled.error is not None and settled.outcome not in _DECIDED:
        raise settled.error
    told = "" if settled.error is None else settled.error.message
    return {"case": settled.case, "outcome": settled.outcome, "reason": told}


def _screen(market: Marketplace, models: Path | None, job: Job) -> Mapping[str, Any]:
    """List a model, and say which commitments could claim it."""
    location, options = _suspect(job.payload, models)
    shape, listing = job.payload.get("shape"), str(job.payload.get("listing", ""))
    if not (isinstance(shape, list) and len(shape) == 3 and all(type(one) is int for one in shape)):
        raise UsageError("a screening needs the shape of the model's images")
    channels, height, width = shape
    with open_suspect(location, shape=(channels, height, width), **options) as suspect:
        market.add_listing(listing, suspect)
        found = market.screen(suspect)
    return {
        "listing": listing,
        "standings": [asdict(one) for one in found.standings],
        "without": {reason.name.lower(): count for reason, count in found.without.items()},
        "other_shapes": found.other_shapes,
        "images": found.images,
    }


def _suspect(payload: Mapping[str, Any], models: Path | None) -> tuple[str, dict[str, Any]]:
    """Where the model of a job is, and the options to open it. Raises UsageError."""
    name = str(payload.get("suspect", ""))
    options: dict[str, Any] = {key: str(payload[key]) for key in _PLAIN if payload.get(key)}
    if is_endpoint(name):
        STRANGER.locate(name, hint=_HINT)
        return name, {**options, "http": HttpSettings(named_by_strangers=True)}
    if models is None or not _FILE.fullmatch(name):
        raise UsageError(
            "a job names its model by an https URL, or by a file of the folder of models",
            hint=_HINT,
        )
    return str(models / name), {**options, "onnx": OnnxLimits()}


def _cancel_when(cancel: Any, given_up: threading.Event, ended: threading.Event) -> None:  # noqa: ANN401
    """End the processes of a case when its job is given up."""
    while not ended.wait(_LOOK_SECONDS):
        if given_up.is_set():
            cancel()
            return
