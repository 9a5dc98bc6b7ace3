"""spec/formats.cddl is what the code writes and reads, byte for byte and nothing beside.

Real documents and the published vectors satisfy their rules; with a key more or fewer, another type
or another length, the rules refuse them, and so does the code.
"""

from __future__ import annotations

import copy
import json
import logging
import re
from collections.abc import Callable, Iterator
from typing import Any

import cbor2
import numpy as np
import pytest
from cddl_verifier import Validator

from tests.support.dispute import new_judge
from tests.support.dispute_documents import dispute_documents
from tests.support.log_documents import log_documents
from tests.support.spec_documents import (
    LIMIT,
    Document,
    private_documents,
    public_documents,
    value_of,
)
from tests.support.spec_pages import FORMATS
from tests.support.spec_vectors import VECTORS
from zkwm.extraction.keys import judged_parameters, scheme_tag
from zkwm.extraction.schemes import READERS, make_reader
from zkwm_protocols import encoding
from zkwm_protocols.encoding import decode, encode, first_line
from zkwm_protocols.errors import ZkwmError

FIXED_LENGTHS = (16, 24, 32, 33, 64)
FREE_LENGTHS = {
    "argument", "bias", "body", "decoys", "header", "images", "leaves", "nodes", "pixels", "salts",
    "sealed", "values", "weights",
}  # fmt: skip
"""Byte strings whose length the rules leave to other fields."""
OPEN_MAPS = {"parameters"}
"""Maps whose keys are a scheme's own."""
LONGEST_TUPLE = 11
"""Entries of the longest list of which a rule counts the entries."""

logging.getLogger("cddl_verifier").setLevel(logging.CRITICAL)
RULES = Validator(FORMATS.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Document]:
    private = private_documents(tmp_path_factory.mktemp("private"))
    return public_documents() | private | log_documents() | dispute_documents(new_judge())


def problems(rule: str, data: bytes) -> str:
    """What is wrong with a value by its rule; empty where nothing is."""
    return "; ".join(map(str, RULES.validate(data, root_type=rule).diagnostics))


def accepted(rule: str, data: bytes) -> bool:
    return bool(RULES.validate(data, root_type=rule).valid)


def vector(name: str) -> Any:
    return json.loads((VECTORS / f"{name}.json").read_text())


def mutations(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Values that differ from ``value`` in one place, each with a name, and are never valid."""
    yield from ((f"{key} of another type", other) for other in _other_types(value))
    if isinstance(value, dict) and key not in OPEN_MAPS:
        yield f"{key} with a key more", value | {"zzz": 1}
        for name, item in value.items():
            yield f"{key} without {name}", {k: v for k, v in value.items() if k != name}
            for what, changed in mutations(item, name):
                yield what, value | {name: changed}
    if isinstance(value, list) and value:
        for place in sorted({0, len(value) - 1}):
            for what, changed in mutations(value[place], key):
                yield f"entry {place}: {what}", [*value[:place], changed, *value[place + 1 :]]
    fixed = isinstance(value, bytes) and len(value) in FIXED_LENGTHS and key not in FREE_LENGTHS
    if fixed:
        yield f"{key} shorter", value[:-1]
        yield f"{key} longer", value + b"\0"


def shortened(value: Any) -> Any:
    """``value`` with the first and the last entry alone of long lists, which `mutations` change."""
    if isinstance(value, dict):
        return {name: shortened(item) for name, item in value.items()}
    if isinstance(value, list):
        kept = value if len(value) <= LONGEST_TUPLE else [value[0], value[-1]]
        return [shortened(item) for item in kept]
    return value


def _other_types(value: Any) -> list[Any]:
    """Values of types that the place of ``value`` does not take."""
    others: list[Any] = [0.5]
    if isinstance(value, bool):
        others += [1, "true"]
    elif isinstance(value, int):
        others += [True, str(value), bytes(4), -1 - 2**40]
    elif isinstance(value, bytes):
        others += ["text", 7, [1]]
    elif isinstance(value, str):
        others += [value.encode(), 7]
    elif isinstance(value, list | dict):
        others += ["text", 7]
    return others


def test_every_rule_is_used_by_a_document_or_by_another_rule(
    documents: dict[str, Document],
) -> None:
    text = FORMATS.read_text(encoding="utf-8")
    code = "\n".join(line.partition(";")[0] for line in text.split("\n"))
    defined = [line.split(" = ")[0] for line in code.split("\n") if " = " in line]
    used = {document.rule for document in documents.values()} | {
        "NetworkFile", "Proof", "TensorEntry", "BuiltInModel", "ModelFiles", "Scheme",
            "Extraction",
        "ChallengeBody", "EarlierVault",
    }  # fmt: skip
    for rule in defined:
        named = len(re.findall(rf"(?<![\w-]){rule}(?![\w-])", code))
        assert rule in used or named > 1, rule


def test_documents_satisfy_their_rules(documents: dict[str, Document]) -> None:
    for name, document in documents.items():
        assert problems(document.rule, document.data) == "", name
        if document.read is not None:
            document.read(document.data)


def test_changed_documents_are_refused_by_rules_and_code(documents: dict[str, Document]) -> None:
    """The rules see short lists where they say nothing of lengths, as they take long for long ones.

    The code reads the changed document whole.
    """
    count = 0
    for name, document in documents.items():
        short = shortened(document.value)
        if not accepted(document.rule, cbor2.dumps(short, canonical=True)):
            short = document.value
        changes = zip(mutations(document.value), mutations(short), strict=True)
        for (what, changed), (_, changed_short) in changes:
            changed_data = cbor2.dumps(changed_short, canonical=True)
            assert not accepted(document.rule, changed_data), f"{name}: {what}"
            count += 1
            if document.read is not None:
                with pytest.raises(ZkwmError):
                    document.read(cbor2.dumps(changed, canonical=True))
    assert count > 4_500


def test_values_out_of_range_are_refused(documents: dict[str, Document]) -> None:
    cases: dict[str, list[dict[str, Any]]] = {
        "header": [
            {"version": 1}, {"leaf_count": 0}, {"leaf_count": 100_001}, {"class_count": 1},
            {"shape": [2, 8, 8]}, {"shape": [1, 8]}, {"label_mode": "other"}, {"owner_keys": []},
            {"owner_model": bytes(31)},
        ],
        "challenge for an opening": [
            {"mode": "argument"}, {"network": bytes(32)}, {"statistic": "matches"},
            {"class_map": [0]}, {"block_count": 0}, {"excluded_blocks": [100_001]},
            {"issued": 2**40 + 1}, {"purpose": "x" * 2001},
        ],
        "challenge for an argument": [
            {"mode": "opening"}, {"statistic": "ranks"}, {"least_matches": 0},
            {"least_matches": 10_001},
        ],
        "argument": [
            {"argument": b""}, {"labels": []}, {"labels": [65_535]}, {"blocks": []},
        ],
        "refusal": [{"unopened_blocks": 100_001}, {"type": "zkwm-opening"}],
        "vault file": [{"kdf": {"algorithm": "argon2id13", "operations": 11,
                                "memory_kib": 8192, "salt": bytes(16)}}],
    }  # fmt: skip
    for name, changes in cases.items():
        document = documents[name]
        for change in changes:
            data = encode(document.value | change)
            assert not accepted(document.rule, data), f"{name}: {change}"
            assert document.read is not None
            with pytest.raises(ZkwmError):
                document.read(data)


@pytest.mark.parametrize(
    ("change", "fits"),
    [
        ({"mean": ["0.5"], "std": ["0.25"]}, True),
        ({"mean": ["-12.000000000001"], "std": ["1"]}, True),
        ({"mean": ["1e3"], "std": ["1"]}, False),
        ({"mean": ["01"], "std": ["1"]}, False),
        ({"mean": [" 1"], "std": ["1"]}, False),
        ({"layout": "chw"}, False),
    ],
)
def test_preprocessing(
    documents: dict[str, Document], change: dict[str, Any], *, fits: bool
) -> None:
    value = documents["challenge for an opening"].value
    value["preprocessing"] |= change
    assert accepted("OpeningChallenge", encode(value)) == fits


def test_suspect_of_which_a_mark_is_extracted(documents: dict[str, Document]) -> None:
    value = documents["challenge for an opening"].value
    value["suspect"] |= {"kind": "extraction", "outputs": 2, "shape": [1, 1, 32]}
    assert accepted("OpeningChallenge", encode(value))
    for change in ({"outputs": 10}, {"shape": [1, 8, 8]}):
        other = copy.deepcopy(value)
        other["suspect"] |= change
        assert not accepted("OpeningChallenge", encode(other))


def test_exchanges_of_the_vectors() -> None:
    """Whatever fails a check that is not of a format satisfies the rules."""
    rules = {"commitment": "CommitmentFile", "challenge": "ChallengeFile", "proof": "ProofFile"}
    formats = {"commitment.format", "challenge.format", "response.format", "challenge.suspect"}
    exchange = vector("exchange")
    refused = 0
    for case in exchange["cases"]:
        for field, rule in rules.items():
            data = bytes.fromhex(case.get(field, ""))
            if not data.startswith(first_line(field)):
                continue
            fits = accepted(rule, value_of(data))
            refused += not fits
            assert fits or case["check"] in formats, case["name"]
    assert refused > 10
    for field, rule in (
        ("header", "Header"),
        ("challenge_body", "ChallengeBody"),
        ("plaintext", "OpeningPlaintext"),
        ("response_body", "ResponseBody"),
    ):
        assert problems(rule, bytes.fromhex(exchange[field])) == ""


VAULT_RULES = ("EarlierVault", "JudgeKey", "Vault")


def test_commitments_keys_and_vaults_of_the_vectors() -> None:
    for item in vector("commitment")["commitments"]:
        assert problems("Header", bytes.fromhex(item["header"])) == ""
        assert problems("CommitmentFile", value_of(bytes.fromhex(item["file"]))) == ""
    judge = vector("keys")["judge"]
    assert problems("Judge", bytes.fromhex(judge["encoding"])) == ""
    assert problems("JudgePublicFile", value_of(bytes.fromhex(judge["file"]))) == ""
    for item, rule in zip(vector("vault")["files"], VAULT_RULES, strict=True):
        assert (
            problems(f"{rule.removeprefix('Earlier')}File", value_of(bytes.fromhex(item["file"])))
            == ""
        )
        assert problems(rule, bytes.fromhex(item["plaintext"])) == ""
    for mark in vector("vault")["mark"]["files"]:
        assert problems("VaultMarkFile", value_of(bytes.fromhex(mark))) == ""
    assert problems("LedgerEntry", bytes.fromhex(vector("vault")["mark"]["older_copy"])) == ""


def test_network_and_proof_of_the_vectors() -> None:
    network = value_of(bytes.fromhex(vector("argument")["network"]["file"]))
    assert problems("NetworkFile", network) == ""
    proof = decode((VECTORS / "argument.proof").read_bytes(), limit=LIMIT)
    assert problems("Proof", encode(proof)) == ""
    short = {key: value[:64] if isinstance(value, bytes) else value for key, value in proof.items()}
    short |= {"commitment": proof["commitment"]}
    for what, changed in mutations(short):
        if "shorter" not in what and "longer" not in what:
            assert not accepted("Proof", cbor2.dumps(changed, canonical=True)), what
    for parameters in ([17, 14, 200], [10, 23, 200], [10, 14, 0], [10, 14, 1001], [10, 14]):
        assert not accepted("Proof", encode(short | {"parameters": parameters})), parameters


def test_schemes_and_identities(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is hashed into keys and into digests of suspects."""
    from zkwm.suspects import extraction_suspect

    for name in READERS:
        scheme = make_reader(name)
        described = encode({"scheme": name, "parameters": judged_parameters(scheme)})
        assert problems("Scheme", described) == ""
        assert scheme_tag(scheme)
    hashed = recorded(monkeypatch, extraction_suspect)
    probes = np.zeros((2, 1, 8, 8), np.uint8)
    for reference, images in ((None, None), (bytes(32), probes)):
        extraction_suspect.extraction_digest(scheme, bytes(32), reference, images)
    assert len(hashed) == 2
    for data in hashed:
        assert problems("Extraction", data) == ""
        for what, changed in mutations(decode(data, limit=LIMIT)):
            assert not accepted("Extraction", cbor2.dumps(changed, canonical=True)), what


def test_models_and_tensors(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is hashed into the digest of a built-in network."""
    from tests.support.extraction_case import network
    from zkwm.suspects import safetensors_suspect

    entries = recorded(monkeypatch, encoding)
    models = recorded(monkeypatch, safetensors_suspect)
    safetensors_suspect.architecture_digest(network(1))
    assert len(entries) > 10
    assert len(models) == 1
    assert problems("BuiltInModel", models[0]) == ""
    for data in entries:
        assert problems("TensorEntry", data) == ""


def recorded(monkeypatch: pytest.MonkeyPatch, module: Any) -> list[bytes]:
    """What ``module`` encodes from now on."""
    found: list[bytes] = []
    plain: Callable[[Any], bytes] = encode

    def recording(value: Any) -> bytes:
        found.append(plain(value))
        return found[-1]

    monkeypatch.setattr(module, "encode", recording)
    return found
