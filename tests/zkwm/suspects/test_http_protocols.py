"""Adapters against services written from the published protocols, and their example messages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import urllib3

from tests.support.http_services import Service, huggingface, kserve, serving, torchserve
from tests.support.onnx_case import unusable
from zkwm.suspects import Answer, HttpSettings, Suspect, open_suspect
from zkwm.suspects.http_adapter import ADAPTERS
from zkwm_cli.challenge_options import CaseTerms
from zkwm_protocols.errors import Malformed, SuspectUnusable, UsageError
from zkwm_protocols.suspect_identity import Preprocessing

COLOR, GRAY = (3, 4, 6), (1, 4, 6)
CLASSES = 7
NAMES = tuple(f"class {number}" for number in range(CLASSES))
QUICK = {"attempts": 1, "backoff_seconds": 0.01}
RAW = Preprocessing(scale="raw")


def images(shape: tuple[int, int, int], count: int = 5) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (count, *shape), dtype=np.uint8)


def scores_of(image: np.ndarray) -> list[float]:
    """Scores that depend on every pixel and its place."""
    weights = np.random.default_rng(image.size).normal(size=(CLASSES, image.size))
    return [float(score) for score in weights @ (image.reshape(-1) / 255)]


@contextmanager
def opened(url: str, shape: tuple[int, int, int], **options: Any) -> Iterator[Suspect]:
    http = HttpSettings(**{**QUICK, **options.pop("http", {})})
    suspect = open_suspect(url, shape=shape, http=http, **options)
    try:
        yield suspect
    finally:
        suspect.close()


def require_right(suspect: Suspect, asked: np.ndarray, fed: Preprocessing) -> None:
    """Every answer has the service's scores, to the precision of its input's type."""
    suspect.try_out(fed)
    answers = suspect.answer(asked, fed)
    for image, answer in zip(asked, answers, strict=True):
        assert answer.scores is not None, answer.problem
        np.testing.assert_allclose(answer.scores, scores_of(image), rtol=0, atol=1e-9)


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
    decode = FORMS[0][-1]
    sent: list[Any] = []
    routes = {
        "kserve": kserve(scores_of, shape=(-1, 3, 4, 6), decode=decode),
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


# Open Inference Protocol


FORMS = [
    ((-1, 3, 4, 6), "FP32", COLOR, Preprocessing(), lambda v: np.rint(v[0] * 255)),
    ((-1, 4, 6, 3), "FP32", COLOR, Preprocessing(layout="nhwc"),
     lambda v: np.rint(v[0] * 255).transpose(2, 0, 1)),
    ((1, 3, -1, -1), "UINT8", COLOR, RAW, lambda v: v[0]),
    ((3, 4, 6), "INT64", COLOR, RAW, lambda v: v),
    ((-1, 72), "FP64", COLOR, Preprocessing(), lambda v: np.rint(v.reshape(COLOR) * 255)),
    ((-1, 4, 6), "INT32", GRAY, RAW, lambda v: v.reshape(GRAY)),
    ((-1, -1, -1, -1), "FP16", GRAY, Preprocessing(), lambda v: np.rint(v[0] * 255)),
    ((-1, 3, 4, 6), "FP32", COLOR,
     Preprocessing(mean=("0.5", "0.4", "0.3"), std=("0.2", "0.3", "0.4"), channels="bgr"),
     lambda v: np.rint(
         (v[0, ::-1] * np.array([0.2, 0.3, 0.4]).reshape(3, 1, 1)
          + np.array([0.5, 0.4, 0.3]).reshape(3, 1, 1)) * 255)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("declared", "datatype", "shape", "fed", "decode"), FORMS, ids=[str(form[0]) for form in FORMS]
)
def test_kserve_gets_the_tensor_that_it_declares(
    declared: tuple[int, ...],
    datatype: str,
    shape: tuple[int, int, int],
    fed: Preprocessing,
    decode: Any,
) -> None:
    route = kserve(scores_of, shape=declared, datatype=datatype, decode=decode)
    with (
        serving(route, "/v2/models/mymodel") as service,
        opened(service.url, shape, adapter="kserve") as suspect,
    ):
        assert suspect.identity.outputs == CLASSES
        assert suspect.identity.adapter == "kserve"
        require_right(suspect, images(shape), fed)
    assert {(method, path) for method, path, _ in service.requests} == {
        ("GET", "/v2/models/mymodel"),
        ("POST", "/v2/models/mymodel/infer"),
    }


def tensor(row: list[float], **changes: Any) -> dict[str, Any]:
    return {"name": "scores", "shape": [1, len(row)], "datatype": "FP32", "data": row, **changes}


@pytest.mark.parametrize(
    "reply",
    [
        lambda row: {"outputs": [tensor(row)]},  # as the specification's own example
        lambda row: {"model_name": "m", "id": "42", "parameters": {}, "outputs": [tensor(row)]},
        lambda row: {"outputs": [tensor(row, data=[row])]},  # nested
        lambda row: {"outputs": [tensor(row, shape=[CLASSES])]},
        lambda row: {"outputs": [tensor(row, shape=[1, CLASSES, 1, 1])]},
        lambda row: {"outputs": [tensor(row, datatype="FP64", parameters={"a": 1})]},
    ],
)
def test_kserve_replies(reply: Any) -> None:
    route = kserve(scores_of, shape=(-1, 3, 4, 6), decode=FORMS[0][4], reply=reply)
    with (
        serving(route, "/v2/models/mymodel/versions/1") as service,
        opened(service.url, COLOR, adapter="kserve") as suspect,
    ):
        require_right(suspect, images(COLOR), Preprocessing())


def test_kserve_labels_have_no_scores() -> None:
    """The reply that TorchServe's KServe v2 envelope documents."""

    def reply(row: list[float]) -> dict[str, Any]:
        label = {"name": "predict", "shape": [1], "datatype": "INT64", "data": [2]}
        return {"id": "f0222600", "model_name": "bert", "model_version": "1", "outputs": [label]}

    route = kserve(
        scores_of, shape=(-1, 3, 4, 6), decode=FORMS[0][4], reply=reply, outputs=("predict",)
    )
    with serving(route, "/v2/models/bert") as service:
        with unusable("labels"):
            open_suspect(service.url, shape=COLOR, adapter="kserve")
        with opened(service.url, COLOR, adapter="kserve", outputs=CLASSES) as suspect:
            (answer,) = suspect.answer(images(COLOR, 1), Preprocessing())
            assert answer == Answer(2)
            assert answer.scores is None


def test_kserve_with_several_outputs_asks_the_one_that_is_named() -> None:
    route = kserve(
        scores_of, shape=(-1, 3, 4, 6), decode=FORMS[0][4], outputs=("features", "logits")
    )
    with serving(route, "/v2/models/m") as service:
        with unusable("2 outputs: features, logits"):
            open_suspect(service.url, shape=COLOR, adapter="kserve")
        with pytest.raises(UsageError, match="no output 'scores'"):
            open_suspect(service.url, shape=COLOR, adapter="kserve", output="scores")
        with opened(service.url, COLOR, adapter="kserve", output="logits") as suspect:
            assert suspect.identity.output == "logits"
            require_right(suspect, images(COLOR), Preprocessing())
    bodies = [json.loads(body) for method, _, body in service.requests if method == "POST"]
    assert all(body["outputs"] == [{"name": "logits"}] for body in bodies)


def test_kserve_takes_no_preprocessing_that_its_input_cannot_have() -> None:
    route = kserve(scores_of, shape=(-1, 4, 6, 3), datatype="UINT8", decode=lambda v: v[0])
    with (
        serving(route, "/v2/models/m") as service,
        opened(service.url, COLOR, adapter="kserve", outputs=CLASSES) as suspect,
    ):
        with unusable("uint8"):
            suspect.try_out(Preprocessing(layout="nhwc"))
        with unusable("layout nhwc"):
            suspect.try_out(RAW)


@pytest.mark.parametrize("end", ["/v2/models/m/infer", "/v1/models/m:predict", "/", "/v2/models/"])
def test_kserve_needs_the_url_of_a_model(end: str) -> None:
    with pytest.raises(UsageError, match="/v2/models/NAME"):
        open_suspect(f"http://127.0.0.1:9{end}", shape=COLOR, adapter="kserve")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"inputs": []}, "0 inputs"),
        ({"inputs": None}, "no list of inputs"),
        ({"outputs": {}}, "no list of outputs"),
        ({"inputs": [{"name": "x", "datatype": "BYTES", "shape": [1]}]}, "type BYTES"),
        ({"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 5]}]}, "takes no image"),
        ({"inputs": [{"name": 7, "datatype": "FP32", "shape": [1, 5]}]}, "no name"),
        ({"inputs": [{"name": "x", "datatype": "FP32", "shape": [True]}]}, "no shape"),
        ({"outputs": [{"name": "y", "datatype": "FP32", "shape": [1]}] * 2}, "one name"),
    ],
)
def test_kserve_models_that_describe_themselves_badly(change: dict[str, Any], told: str) -> None:
    described = {
        "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 3, 4, 6]}],
        "outputs": [{"name": "y", "datatype": "FP32", "shape": [-1, 7]}],
    }
    with serving(lambda *_: {**described, **change}, "/v2/models/m") as service, unusable(told):
        open_suspect(service.url, shape=COLOR, adapter="kserve", outputs=CLASSES)


def test_kserve_without_a_description() -> None:
    with (
        serving(lambda *_: (404, {"error": "x"}), "/v2/models/m") as service,
        unusable("HTTP 404"),
    ):
        open_suspect(service.url, shape=COLOR, adapter="kserve", outputs=CLASSES)


# TorchServe


@pytest.mark.parametrize("shape", [COLOR, GRAY])
@pytest.mark.parametrize("names", [None, NAMES])
def test_torchserve_gives_all_classes(
    shape: tuple[int, int, int], names: tuple[str, ...] | None
) -> None:
    route = torchserve(scores_of, names=names, best=None)
    with (
        serving(route, "/predictions/m") as service,
        opened(service.url, shape, adapter="torchserve", output_names=names) as suspect,
    ):
        assert suspect.identity.outputs == CLASSES
        require_right(suspect, images(shape), Preprocessing())


@pytest.mark.parametrize("names", [None, NAMES])
def test_torchserve_gives_the_best_five(names: tuple[str, ...] | None) -> None:
    with serving(torchserve(scores_of, names=names), "/predictions/m/2.0") as service:
        if names is None:
            with unusable("how many outputs") as caught:
                open_suspect(service.url, shape=COLOR, adapter="torchserve")
            assert "--outputs" in caught.value.hint
        outputs = CLASSES if names is None else None
        with opened(
            service.url, COLOR, adapter="torchserve", output_names=names, outputs=outputs
        ) as suspect:
            suspect.try_out(Preprocessing())
            for image, answer in zip(
                images(COLOR), suspect.answer(images(COLOR), Preprocessing()), strict=True
            ):
                assert answer == Answer(int(np.argmax(scores_of(image))))
                assert answer.scores is None


def test_torchserve_replies_numbers_where_names_were_given() -> None:
    with (
        serving(torchserve(scores_of), "/predictions/m") as service,
        opened(service.url, COLOR, adapter="torchserve", output_names=NAMES) as suspect,
    ):
        with unusable("names a class that the suspect does not have") as caught:
            suspect.try_out(Preprocessing())
        assert "leave names out" in caught.value.hint


@pytest.mark.parametrize(
    ("body", "names", "answer"),
    [
        # docs/batch_inference_with_ts.md and docs/inference_api.md of pytorch/serve
        (b'{"tiger_cat": 0.5848360657691956, "tabby": 0.3782736361026764, "lynx": 0.03441936}',
         ("lynx", "tabby", "tiger_cat"), Answer(2)),
        (b'[{"class": "n02123045 tabby, tabby cat", "probability": 0.42514491081237793}]',
         ("n1", "n02123045 tabby, tabby cat"), Answer(1)),
        (b"[-1.5, 2, 0.25]", None, Answer(1)),
        (b"2", None, Answer(2)),
    ],
)  # fmt: skip
def test_torchserve_messages(body: bytes, names: tuple[str, ...] | None, answer: Answer) -> None:
    outputs = 3 if names is None else None
    with (
        serving(lambda *_: body, "/predictions/m") as service,
        opened(
            service.url, COLOR, adapter="torchserve", output_names=names, outputs=outputs
        ) as suspect,
    ):
        assert suspect.answer(images(COLOR, 1), Preprocessing()) == (answer,)


def test_pictures_have_one_or_three_channels() -> None:
    for adapter in ("torchserve", "huggingface"):
        with pytest.raises(UsageError, match="1 or 3 channels"):
            open_suspect("http://127.0.0.1:9/", shape=(2, 4, 6), adapter=adapter, outputs=3)


# Hugging Face


def test_huggingface_gives_all_classes_when_asked() -> None:
    with (
        serving(huggingface(scores_of, names=NAMES), "/models/m") as service,
        opened(service.url, COLOR, adapter="huggingface", output_names=NAMES) as suspect,
    ):
        require_right(suspect, images(COLOR), Preprocessing())
    body = json.loads(service.requests[0][2])
    assert body["parameters"] == {"top_k": CLASSES}


def test_huggingface_gives_the_best_alone() -> None:
    with (
        serving(huggingface(scores_of, names=NAMES, most=2), "/models/m") as service,
        opened(service.url, COLOR, adapter="huggingface", output_names=NAMES) as suspect,
    ):
        (answer,) = suspect.answer(images(COLOR, 1), Preprocessing())
    assert answer == Answer(int(np.argmax(scores_of(images(COLOR, 1)[0]))))
    assert answer.scores is None


def test_huggingface_message() -> None:
    """The pipeline's documented example: names in any case, the best first."""
    body = (
        b'[{"score": 0.442, "label": "macaw"}, {"score": 0.088, "label": "popinjay"},'
        b' {"score": 0.075, "label": "parrot"}]'
    )
    names = ("parrot", "Macaw", "popinjay")
    with (
        serving(lambda *_: body) as service,
        opened(service.url, COLOR, adapter="huggingface", output_names=names) as suspect,
    ):
        (answer,) = suspect.answer(images(COLOR, 1), Preprocessing())
    assert answer == Answer(1)
    assert answer.scores is not None
    assert list(answer.scores) == [0.075, 0.442, 0.088]


def test_huggingface_needs_names() -> None:
    with pytest.raises(UsageError, match="names of classes") as caught:
        open_suspect("http://127.0.0.1:9/", shape=COLOR, adapter="huggingface", outputs=3)
    assert "--suspect-classes" in caught.value.hint


def test_a_model_that_is_loading_is_asked_again() -> None:
    replies = [(503, {"error": "loading", "estimated_time": 20.0}), [{"label": "a", "score": 1}]]
    with (
        serving(lambda *_: replies.pop(0)) as service,
        opened(
            service.url, COLOR, adapter="huggingface", output_names=("a", "b"), http={"attempts": 2}
        ) as suspect,
    ):
        assert suspect.answer(images(COLOR, 1), Preprocessing()) == (Answer(0),)


# templates


def template(tmp_path: Path, request: Any, reply: dict[str, str]) -> Path:
    path = tmp_path / "template.json"
    value = {"schema": "zkwm/template/v1", "request": request, "reply": reply}
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def asked_by_template(service: Service, path: Path, **options: Any) -> Any:
    return opened(service.url, COLOR, adapter="template", http={"template": path}, **options)


TEMPLATES = {
    "TorchServe's JSON envelope, a picture": (
        {"instances": [{"b64": "{{png}}"}]}, {"scores": "/predictions/0"},
        lambda row: {"predictions": [row]}, Preprocessing()),
    "a data URI": (
        {"image_url": "data:image/png;base64,{{png}}"}, {"scores": "/a~1b/c~0d"},
        lambda row: {"a/b": {"c~d": row}}, Preprocessing()),
    "pixels": (
        {"b64": "{{pixels}}", "shape": [3, 4, 6]}, {"scores": ""}, lambda row: row,
        Preprocessing()),
    "a nested tensor": (
        {"instances": ["{{tensor}}"]}, {"scores": "/predictions/0"},
        lambda row: {"predictions": [row]}, Preprocessing(layout="nhwc", mean=("0.5",) * 3,
                                                          std=("0.25",) * 3)),
    "an Open Inference Protocol server that describes nothing": (
        {"inputs": [{"name": "predict", "shape": [1, 3, 4, 6], "datatype": "UINT8",
                     "data": "{{values}}"}]},
        {"scores": "/outputs/0/data"}, lambda row: {"outputs": [{"data": row}]}, RAW),
    "scores by name": (
        {"image": "{{png}}"}, {"scores": "/result"},
        lambda row: {"result": dict(zip(NAMES, row, strict=True)), "took": 3}, Preprocessing()),
    "a list of entries": (
        {"image": "{{png}}"}, {"entries": "", "name": "className", "score": "probability"},
        lambda row: [{"className": name, "probability": score}
                     for name, score in zip(NAMES, row, strict=True)], Preprocessing()),
}  # fmt: skip


def image_in(body: bytes, fed: Preprocessing) -> np.ndarray:
    """The pixels (c, h, w) in the request of any of TEMPLATES."""
    import base64

    from tests.support.http_services import pixels_of

    request = json.loads(body)
    if "b64" in request:
        return np.frombuffer(base64.b64decode(request["b64"]), np.uint8).reshape(COLOR)
    if "inputs" in request:
        values = request["inputs"][0]["data"]
        assert all(type(value) is int for value in values)
        return np.array(values, np.uint8).reshape(COLOR)
    if "instances" in request and isinstance(request["instances"][0], list):
        values = np.array(request["instances"][0]) * 0.25 + 0.5
        return np.rint(values * 255).astype(np.uint8).transpose(2, 0, 1)
    text = request.get("image_url") or request.get("image") or request["instances"][0]["b64"]
    return pixels_of(base64.b64decode(text.removeprefix("data:image/png;base64,")))


@pytest.mark.parametrize("name", TEMPLATES)
def test_templates(tmp_path: Path, name: str) -> None:
    request, reply, answered, fed = TEMPLATES[name]
    path = template(tmp_path, request, reply)
    named = "name" in name or "entries" in name
    with serving(lambda _, body: answered(scores_of(image_in(body, fed)))) as service:
        outputs = None if named else CLASSES
        with asked_by_template(
            service, path, output_names=NAMES if named else None, outputs=outputs
        ) as suspect:
            assert suspect.identity.template is not None
            require_right(suspect, images(COLOR), fed)


@pytest.mark.parametrize(("label", "answer"), [(4, 4), ("class 4", 4), ("Class 5 ", 5)])
def test_labels_by_template(tmp_path: Path, label: int | str, answer: int) -> None:
    path = template(tmp_path, {"image": "{{png}}"}, {"label": "/label"})
    with (
        serving(lambda *_: {"label": label}) as service,
        asked_by_template(service, path, output_names=NAMES) as suspect,
    ):
        assert suspect.answer(images(COLOR, 1), Preprocessing()) == (Answer(answer),)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("not JSON", "not a template"),
        ("[]", "not a template"),
        ('{"schema": "zkwm/template/v1", "request": "{{png}}"}', "not a template"),
        ('{"schema": "zkwm/template/v2", "request": "{{png}}", "reply": {"label": ""}}',
         "not a template"),
        ('{"schema": "zkwm/template/v1", "request": {}, "reply": {"label": ""}}', "0 places"),
        ('{"schema": "zkwm/template/v1", "request": "{{png}}{{png}}", "reply": {"label": ""}}',
         "2 places"),
        ('{"schema": "zkwm/template/v1", "request": "x{{values}}", "reply": {"label": ""}}',
         "within another"),
        ('{"schema": "zkwm/template/v1", "request": {"{{values}}": 1}, "reply": {"label": ""}}',
         "a key"),
        ('{"schema": "zkwm/template/v1", "request": ["{{png}}", 1e999], "reply": {"label": ""}}',
         "too large"),
        ('{"schema": "zkwm/template/v1", "request": "{{png}}", "reply": {}}', "where the answer"),
        ('{"schema": "zkwm/template/v1", "request": "{{png}}", "reply": {"label": 1}}',
         "where the answer"),
        ('{"schema": "zkwm/template/v1", "request": "{{png}}", '
         '"reply": {"label": "", "scores": ""}}', "where the answer"),
        ('{"schema": "zkwm/template/v1", "request": "{{png}}", "reply": {"label": "label"}}',
         "not a JSON pointer"),
        ('{"schema": "zkwm/template/v1", "request": "{{png}}", "request": "{{png}}", '
         '"reply": {"label": ""}}', "not a template"),
        ('{"schema": "zkwm/template/v1", "request": ' + "[" * 50 + "]" * 50
         + ', "reply": {"label": ""}}', "not a template"),
    ],
)  # fmt: skip
def test_templates_that_cannot_be_used(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "template.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(Malformed) as caught:
        open_suspect(
            "http://127.0.0.1:9/", shape=COLOR, adapter="template", outputs=3,
            http=HttpSettings(template=path),
        )  # fmt: skip
    assert told in caught.value.message


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
