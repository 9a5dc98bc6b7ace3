"""Challenge, response and what is sealed inside it: SPEC.md sections 4.3 and 6."""

from __future__ import annotations

import hashlib
import re
from fractions import Fraction
from itertools import pairwise
from typing import Any

from tests.reference.cbor import RejectedError, read
from tests.reference.commitment import (
    MIB,
    array,
    check_names,
    exact_map,
    file_value,
    integer,
    octets,
    text,
)
from tests.reference.signatures import check_judge

LAST_MICROSECOND = 253_402_300_799_999_999
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,5})(\.[0-9]{1,12})?")


def check_suspect(value: Any) -> None:
    """Raise `RejectedError` unless ``value`` is the map of a suspect (section 4.3)."""
    suspect = exact_map(
        value,
        "kind", "digest", "description", "outputs", "shape", "output", "adapter", "account",
        "template",
    )  # fmt: skip
    if suspect["kind"] not in ("onnx", "safetensors", "http", "extraction"):
        raise RejectedError("no such kind of suspect")
    octets(suspect["digest"], 32)
    text(suspect["description"], 500)
    integer(suspect["outputs"], 2, 1_000_000)
    text(suspect["output"], 500)
    remote = suspect["kind"] == "http"
    adapters = ("zkwm", "kserve", "torchserve", "huggingface", "template") if remote else ("",)
    if suspect["adapter"] not in adapters:
        raise RejectedError("no such protocol of an endpoint")
    if suspect["template"] is not None:
        octets(suspect["template"], 32)
    if (suspect["template"] is not None) != (suspect["adapter"] == "template"):
        raise RejectedError("a template for another protocol, or none")
    if suspect["account"] is not None:
        check_account(suspect["account"], remote)
    for size in array(suspect["shape"], 3, 3):
        integer(size, 1, 65_535)
    if suspect["kind"] == "extraction" and (suspect["outputs"], suspect["shape"]) != (
        2, [1, 1, 32],
    ):  # fmt: skip
        raise RejectedError("not two outputs for keys of 32 bytes")


def check_account(value: Any, remote: bool) -> None:
    """Raise `RejectedError` unless ``value`` is an endpoint's account (section 4.3)."""
    account = exact_map(value, "header_names", "salt", "digest")
    names = [text(name, 100) for name in array(account["header_names"], 1, 64)]
    if names != sorted(set(names)) or not all(HEADER_NAME.fullmatch(name) for name in names):
        raise RejectedError("not names of headers, ascending")
    octets(account["salt"], 32)
    octets(account["digest"], 32)
    if not remote:
        raise RejectedError("a file has no account")


def check_preprocessing(value: Any, channels: int) -> None:
    """Raise `RejectedError` unless ``value`` is the map of a preprocessing (section 4.3)."""
    preprocessing = exact_map(value, "layout", "scale", "mean", "std", "channels")
    if preprocessing["channels"] not in (("rgb", "bgr") if channels == 3 else ("rgb",)):
        raise RejectedError("no such order of channels")
    if preprocessing["layout"] not in ("nchw", "nhwc"):
        raise RejectedError("no such layout")
    if preprocessing["scale"] not in ("unit", "raw"):
        raise RejectedError("no such scale")
    mean, std = array(preprocessing["mean"]), array(preprocessing["std"])
    if len(mean) != len(std) or len(mean) not in (0, 1, 3) or len(mean) not in (0, channels):
        raise RejectedError("mean and std have another number of channels")
    for number in mean + std:
        if type(number) is not str or not DECIMAL.fullmatch(number):
            raise RejectedError("not a decimal text")
    if any(Fraction(number) <= 0 for number in std):
        raise RejectedError("std is not positive")


def ascending(value: Any) -> list[int]:
    """``value`` as an array of ascending block numbers, each once; raises `RejectedError`."""
    numbers = array(value, 0, 100_000)
    for number in numbers:
        integer(number, 0, 100_000)
    if any(later <= earlier for earlier, later in pairwise(numbers)):
        raise RejectedError("not ascending")
    return numbers


def read_challenge(data: bytes) -> dict[str, Any]:
    """The challenge's body with ``signature`` and ``digest``; raises `RejectedError`.

    The class map is only an array of integers here: check ``challenge.class_map`` comes later.
    """
    value = exact_map(file_value("challenge", data, 32 * MIB), "body", "signature")
    octets(value["signature"], 64)
    inner = read(octets(value["body"]), 32 * MIB)
    ranked = isinstance(inner, dict) and "statistic" in inner
    if ranked and inner["statistic"] not in ("ranks", "scores", "relearning"):
        raise RejectedError("no such statistic")
    body = exact_map(
        inner, *(["statistic"] if ranked else []), "type", "version", "mode",
        "commitment", "suspect", "preprocessing", "class_map", "judge",
        "nonce", "block_count", "excluded_blocks", "purpose", "issued", "policy",
        "suspect_classes", "reopened_blocks", "test_accuracy", "published", "trust",
        "beacon",
    )  # fmt: skip
    if body["type"] != "zkwm-challenge" or integer(body["version"], 0) != 3:
        raise RejectedError("not a challenge of version 3")
    if body["mode"] != "opening":
        raise RejectedError("no such mode")
    octets(body["commitment"], 32)
    check_suspect(body["suspect"])
    check_preprocessing(body["preprocessing"], body["suspect"]["shape"][0])
    for output in array(body["class_map"], 2, 65_535):
        integer(output, 0, 1_000_000)
    check_judge(body["judge"])
    octets(body["nonce"], 32)
    integer(body["block_count"], 1, 100_000)
    ascending(body["excluded_blocks"])
    text(body["purpose"], 500)
    integer(body["issued"], 0, 2**40)
    if body["suspect_classes"] is not None:
        check_names(body["suspect_classes"])
    again = ascending(body["reopened_blocks"])
    if again and (len(again) != body["block_count"] or set(again) & set(body["excluded_blocks"])):
        raise RejectedError("not r blocks to be weighed again")
    if body["test_accuracy"] is not None:
        accuracy = exact_map(body["test_accuracy"], "right", "count", "data")
        integer(accuracy["right"], 0, integer(accuracy["count"], 1, 10**7))
        octets(accuracy["data"], 32)
    policy = exact_map(
        body["policy"],
        "threshold_bits", "functions_tried", "owner_choice_bits", "accept_declared_labels",
        "older", "trusted_beacon",
    )  # fmt: skip
    integer(policy["threshold_bits"], 1, 10_000)
    integer(policy["functions_tried"], 1, 10**9)
    integer(policy["owner_choice_bits"], 0, 10**7)
    for key in ("accept_declared_labels", "older", "trusted_beacon"):
        if type(policy[key]) is not bool:
            raise RejectedError("not a boolean")
    if body["beacon"] is not None:
        octets(body["beacon"], 32)
    if body["trust"] is not None:
        octets(body["trust"], 32)
    elif policy["older"] or policy["trusted_beacon"]:
        raise RejectedError("nobody trusted")
    if body["published"] is not None:
        _check_published(body["published"], body["issued"])
    elif policy["older"]:
        raise RejectedError("no date of the suspect")
    digest = hashlib.sha256(value["body"]).digest()
    return {**body, "signature": value["signature"], "digest": digest}


def _check_published(value: Any, issued: int) -> None:
    """When the suspect was published, not after `issued`; raises `RejectedError`."""
    published = exact_map(value, "earliest", "latest", "source")
    latest = integer(published["latest"], 0, LAST_MICROSECOND)
    integer(published["earliest"], 0, min(latest, issued * 10**6 + 999_999))
    if not text(published["source"], 200).strip():
        raise RejectedError("a date without a source")


def read_response(data: bytes) -> dict[str, Any]:
    """The response's body with ``signatures`` and ``digest``; raises `RejectedError`."""
    value = exact_map(file_value("proof", data, 512 * MIB), "body", "signatures")
    for signature in array(value["signatures"], 1, 4):
        octets(signature, 64)
    body = exact_map(
        read(octets(value["body"]), 512 * MIB),
        "type", "version", "challenge", "commitment", "blocks", "sealed",
    )  # fmt: skip
    if body["type"] != "zkwm-opening" or integer(body["version"], 0) != 2:
        raise RejectedError("not an opening of version 2")
    octets(body["challenge"], 32)
    octets(body["commitment"], 32)
    for block in array(body["blocks"], 1, 100_000):
        integer(block, 0, 100_000)
    octets(body["sealed"])
    digest = hashlib.sha256(value["body"]).digest()
    return {**body, "signatures": value["signatures"], "digest": digest}


def read_plaintext(
    data: bytes, head: dict[str, Any], challenge: bytes, blocks: list[int]
) -> list[dict[str, Any]]:
    """The opened blocks in order, checked against header and response; raises `RejectedError`."""
    value = exact_map(read(data, 512 * MIB), "challenge", "blocks")
    if octets(value["challenge"], 32) != challenge:
        raise RejectedError("opens for another challenge")
    c, h, w = head["shape"]
    opened = [
        exact_map(block, "block", "triggers")
        for block in array(value["blocks"], len(blocks), len(blocks))
    ]
    for block, number in zip(opened, blocks, strict=True):
        if integer(block["block"], 0) != number:
            raise RejectedError("opens other blocks")
        for trigger in array(block["triggers"], head["block_size"], head["block_size"]):
            if trigger is None:
                continue
            exact_map(trigger, "pixels", "salt", "label")
            octets(trigger["pixels"], c * h * w)
            octets(trigger["salt"], 32)
            if head["label_mode"] == "derived":
                if trigger["label"] is not None:
                    raise RejectedError("a label in derived mode")
            else:
                integer(trigger["label"], 0, head["class_count"] - 1)
    return opened
