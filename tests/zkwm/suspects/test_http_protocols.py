"""What all protocols of endpoints share: options, headers, pictures, preprocessing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import urllib3

from tests.support.http_services import huggingface, kserve, serving, torchserve
from tests.support.onnx_case import unusable
from tests.support.protocol_case import (
    CLASSES,
    COLOR,
    NAMES,
    RAW,
    images,
    opened,
    scores_of,
    template,
    whole_pixels,
)
from zkwm.suspects import HttpSettings, open_suspect
from zkwm.suspects.http_adapter import ADAPTERS
from zkwm_cli.challenge_options import CaseTerms
from zkwm_protocols.errors import SuspectUnusable, UsageError
from zkwm_protocols.suspect_identity import Preprocessing


def test_every_protocol_has_an_option() -> None:
    choices = CaseTerms.__dataclass_fields__["adapter"].metadata["option"][1]["type"].choices
    assert list(choices) == list(ADAPTERS)


@pytest.mark.parametrize("adapter", [name for name in ADAPTERS if name != "zkwm"])
@pytest.mark.parametrize("headers", [{}, {"user-agent": "a customer"}])
def test_no_request_tells_a_thief_who_asks(
    tmp_path: Path, adapter: str, headers: dict[str, str]
) -> None:
    """Neither name nor version of zkwm is sent; a header of the judge's own stands alone."""
    template = tmp_path / "template.json"
    text = {"request": {"x": "{{values}}"}, "reply": {"scores": "/outputs/0/data"}}
    template.write_text(json.dumps({"schema": "zkwm/template/v1", **text}))
    sent: list[Any] = []
    routes = {
        "kserve": kserve(scores_of, shape=(-1, 3, 4, 6), decode=whole_pixels),
        "torchserve": torchserve(scores_of, best=None),
        "huggingface": huggingface(scores_of, names=NAMES),
        "template": lambda *_: {"outputs": [{"data": scores_of(images(COLOR)[0])}]},
    }

    def route(handler: Any, body: bytes) -> Any:
        sent.append((handler.headers, body))
        return routes[adapter](handler, body)

    options: dict[str, Any] = {"headers": headers, "adapter": adapter}
    if adapter == "huggingface":
        options["output_names"] = NAMES
    if adapter == "template":
        options["http"] = {"template": template}
    with (
        serving(route, "/predictions/v2/models/m") as service,
        opened(service.url, COLOR, outputs=CLASSES, **options) as suspect,
    ):
        (answer,) = suspect.answer(images(COLOR)[:1], Preprocessing())
    assert answer.scores is not None, answer.problem
    for fields, body in sent:
        assert fields.get_all("User-Agent") == (list(headers.values()) or [default_agent()])
        assert b"zkwm" not in body + str(fields).encode()


def default_agent() -> str:
    """What urllib3 sends for everybody."""
    return f"python-urllib3/{urllib3.__version__}"


def test_pictures_have_one_or_three_channels() -> None:
    for adapter in ("torchserve", "huggingface"):
        with pytest.raises(UsageError, match="1 or 3 channels"):
            open_suspect("http://127.0.0.1:9/", shape=(2, 4, 6), adapter=adapter, outputs=3)


def test_options_that_do_not_fit(tmp_path: Path) -> None:
    path = template(tmp_path, "{{png}}", {"label": ""})
    url, fixed = "http://127.0.0.1:9/", {"shape": COLOR, "outputs": 3}
    with pytest.raises(UsageError, match="needs a template"):
        open_suspect(url, adapter="template", **fixed)
    for adapter in ("", "torchserve"):
        with pytest.raises(UsageError, match="a template is for"):
            open_suspect(url, adapter=adapter, http=HttpSettings(template=path), **fixed)
    with pytest.raises(UsageError, match="has no name"):
        open_suspect(url, adapter="torchserve", output="y", **fixed)
    with pytest.raises(UsageError, match="no protocol of endpoints 'kserv'"):
        open_suspect(url, adapter="kserv", **fixed)
    with pytest.raises(UsageError, match="not for files"):
        open_suspect(tmp_path / "model.onnx", adapter="kserve", **fixed)
    with pytest.raises(UsageError, match="not for files"):
        open_suspect(tmp_path / "model.onnx", http=HttpSettings(template=path), **fixed)
    with pytest.raises(SuspectUnusable, match="2 outputs, not 3"):
        open_suspect(url, adapter="torchserve", output_names=("a", "b"), **fixed)


@pytest.mark.parametrize("adapter", ["zkwm", "torchserve", "huggingface"])
def test_endpoints_that_preprocess_get_plain_pixels(adapter: str) -> None:
    suspect = open_suspect(
        "http://127.0.0.1:9/", shape=COLOR, adapter=adapter, outputs=3, output_names=("a", "b", "c")
    )
    with unusable("its own preprocessing"):
        suspect.try_out(RAW)
