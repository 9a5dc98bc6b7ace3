"""Writes the test vectors of SPEC.md section 15: ``python -m tests.vectors.generate``.

Everything is fixed but the sealed boxes of the exchange, which are random: those stored before are
kept while they hold the same plaintext. A test compares what this makes with what is stored.
"""

from __future__ import annotations

import hashlib
import json
import random
from math import comb
from pathlib import Path
from typing import Any

from tests.reference import commitment as reference
from tests.reference import evidence, ranks
from tests.reference.cbor import read, write
from tests.reference.signatures import fingerprint
from tests.support.logged_commitment import log_proof, stated
from tests.vectors.build import (
    JUDGE,
    JUDGE_BOX,
    OTHER_BOX,
    OTHER_JUDGE,
    OWNERS,
    Secrets,
    commitment_map,
    file,
    header_map,
    hexadecimal,
    judge_map,
)
from tests.vectors.exchange import Built, examine_case, label_seed
from tests.vectors.exchange_cases import all_cases
from tests.vectors.relearning import relearning_vectors
from tests.vectors.scores import scores_vectors

FOLDER = Path(__file__).parents[2] / "spec" / "vectors"
NAMES = ["cat", "Hund", "Straße", "été", "鳥", "a b", "F", "G", "H", "I"]
CLASS_COUNTS = (2, 3, 10, 16, 100, 1000, 32768, 32769, 65535)


def commitment_vectors() -> dict[str, Any]:
    """`commitment.json`: leaves, roots, whole commitments, labels."""
    leaves = []
    for name, shape, label in (
        ("grey", [1, 2, 2], None),
        ("colour", [3, 2, 1], None),
        ("declared 0", [1, 2, 2], 0),
        ("declared 65534", [1, 1, 300], 65534),
    ):
        secrets = Secrets.fixed(name, shape, 1, None)
        image, salt = secrets.images[0], secrets.salts[0]
        digest = reference.leaf(shape, label, salt, image)
        leaves.append(
            {"name": name, "shape": shape, "label": label, "salt": salt, "pixels": image,
             "leaf": digest}
        )  # fmt: skip
    entries = [hashlib.sha256(bytes([i])).digest() for i in range(13)]
    roots = [
        {"entries": entries[:count], "root": reference.root(entries[:count])}
        for count in (1, 2, 3, 4, 5, 8, 13)
    ]
    commitments = [
        _whole_commitment("derived, one owner", 1, None, {}),
        _whole_commitment("declared, two owners", 2, 10, {"owner_model": bytes(range(32))}),
        _whole_commitment("classes named", 1, None, {"probe_data": bytes(range(32))}, NAMES),
        _whole_commitment("authority named", 1, None, {"timestamp_authority": bytes(32)}),
        _whole_commitment("in a log", 1, None, {}, logged=True),
    ]
    digests = [commitments[0]["digest"], bytes(32)]
    beacon = hashlib.sha256(b"zkwm test vector beacon").digest()
    labels = []
    for digest, given in ((digests[0], None), (digests[0], beacon), (digests[1], None)):
        seed = label_seed(digest, given or bytes(32))
        labels += [
            {
                "digest": digest, "beacon": given, "seed": seed, "class_count": count,
                "labels": [reference.label(seed, i, count) for i in range(20)],
            }
            for count in CLASS_COUNTS
        ]  # fmt: skip
    return {"leaves": leaves, "roots": roots, "commitments": commitments, "labels": labels}


def _whole_commitment(
    name: str,
    owner_count: int,
    declared: int | None,
    changes: dict[str, Any],
    names: list[str] | None = None,
    *,
    logged: bool = False,
) -> dict[str, Any]:
    owners = OWNERS[:owner_count]
    secrets = Secrets.fixed(name, [3, 2, 2], 6, declared)
    digest = None if names is None else reference.names_digest(names)
    header = {**header_map(secrets, 3, 10, owners), "class_names": digest, **changes}
    value = commitment_map(header, secrets.leaves(), owners, names)
    if logged:
        statement = stated(hashlib.sha256(value["header"]).digest(), owners[0])
        value["log_proofs"] = [log_proof(statement).to_bytes()]
    return {
        "name": name,
        "owners": [_key(owner) for owner in owners],
        "images": secrets.images,
        "salts": secrets.salts,
        "class_names": names,
        "declared_labels": secrets.labels if declared else None,
        "leaves": secrets.leaves(),
        "root": header["root"],
        "header": value["header"],
        "digest": hashlib.sha256(value["header"]).digest(),
        "signatures": value["signatures"],
        "file": file("commitment", value),
    }


def _key(key: Any) -> dict[str, Any]:
    public = key.public.to_map()
    return {**public, "secret": key.to_bytes(), "fingerprint": fingerprint("zkwm-key-1", public)}


def evidence_vectors() -> dict[str, Any]:
    """`evidence.json`: terms in hundredths of bits, needed matches, class maps."""
    sums = []
    for (
        class_count,
        block_size,
        blocks,
        opened,
        matches,
        functions,
        choice,
        map_bits,
        threshold,
    ) in (
        (10, 50, 4, 1, 46, 1, 0, 0, 40),
        (10, 50, 4, 1, 50, 1, 0, 0, 40),
        (10, 50, 4, 1, 0, 1, 0, 0, 40),
        (10, 50, 20, 2, 65, 3, 0, 0, 40),
        (2, 50, 10, 4, 163, 1, 0, 0, 40),
        (2, 50, 10, 4, 200, 1, 0, 0, 100),
        (100, 50, 2, 1, 20, 1, 665, 0, 40),
        (1000, 20, 1, 1, 15, 7, 0, 0, 40),
        (16, 16, 4, 2, 30, 1, 0, 0, 40),
        (65535, 7, 3, 3, 21, 1_000_000_000, 0, 0, 200),
        (3, 1, 100, 100, 90, 1, 0, 0, 40),
        (100, 50, 2, 1, 45, 1, 3, 525, 40),
    ):
        trials = block_size * opened
        tail = evidence.hundredths_below(1 / evidence.tail(trials, class_count, matches))
        allowance = evidence.allowance(blocks, opened, functions, choice, map_bits)
        needed = [
            k
            for k in range(trials + 1)
            if evidence.hundredths_below(1 / evidence.tail(trials, class_count, k)) - allowance
            >= 100 * threshold
        ]
        sums.append(
            {
                "class_count": class_count, "block_size": block_size, "block_count": blocks,
                "blocks_used": opened, "matches": matches, "functions_tried": functions,
                "owner_choice_bits": choice, "map_bits": map_bits, "threshold_bits": threshold,
                "terms": [
                    tail,
                    -evidence.hundredths_above(blocks),
                    -evidence.hundredths_above(comb(blocks, opened)),
                    -4800,
                    -evidence.hundredths_above(functions * (functions + 1)),
                    -2000,
                    -100 * map_bits,
                    -100 * choice,
                ],
                "total": tail - allowance,
                "needed_matches": needed[0] if needed else None,
            }
        )  # fmt: skip
    maps = [
        {"outputs": outputs, "class_count": count, "bits": evidence.class_map_bits(outputs, count)}
        for outputs, count in ((2, 2), (10, 10), (12, 10), (100, 100), (1000, 10), (1000, 1000))
    ]
    return {"sums": sums, "class_maps": maps}


def ranks_vectors() -> dict[str, Any]:
    """`ranks.json`: weights, ranks of labels among scores, the first term for sums of weights."""
    drawn = random.Random(2018)
    examples = [
        {"scores": [[9.0, 5.0, 1.0], [9.0, 1.0, 5.0], [9.0, 3.0, 3.0]], "labels": [1, 2, 0]}
    ]
    for count, classes, places in ((1, 2, 3), (8, 2, 3), (7, 5, 0), (12, 10, 3)):
        rows = [[round(drawn.gauss(0, 3), places) for _ in range(classes)] for _ in range(count)]
        labels = [drawn.randrange(classes) for _ in range(count)]
        examples.append({"scores": rows, "labels": labels})
    quarters = [[0.5, 0.25, 0.25, 0.0], [0.0, 0.0, 1.0, 0.0], [0.25, 0.25, 0.25, 0.25]]
    examples.append({"scores": quarters, "labels": [1, 1, 3]})
    for example in examples:
        example["ranks"] = ranks.ranks(example["scores"], example["labels"])
    sums = []
    for classes, trials, value in (
        (2, 50, 80),
        (3, 20, 31),
        (10, 50, 150),
        (10, 50, 300),
        (10, 5, 0),
    ):
        chance = ranks.tail(trials, classes, value)
        sums.append(
            {"class_count": classes, "trials": trials, "sum": value,
             "term": evidence.hundredths_below(1 / chance)}
        )  # fmt: skip
    weights = [
        {
            "class_count": classes,
            "weights": [ranks.weight(rank, classes) for rank in range(classes)],
        }
        for classes in (2, 3, 10, 43)
    ]
    return {"weights": weights, "examples": examples, "sums": sums}


def exchange_vectors(stored: dict[str, Any]) -> dict[str, Any]:
    """`exchange.json`: keys, the good exchange with all values, and every case."""
    built = all_cases({case["name"]: _stored_box(case) for case in stored.get("cases", [])})
    base = built[0]
    value = reference.file_value("challenge", base.challenge, 2**22)
    response = reference.file_value("proof", base.proof, 2**22)
    head = reference.read_commitment(base.commitment)
    return {
        "owners": [_key(owner) for owner in OWNERS],
        "judge": _judge(JUDGE, JUDGE_BOX),
        "other_judge": _judge(OTHER_JUDGE, OTHER_BOX),
        "header": head["header"],
        "digest": head["digest"],
        "label_seed": label_seed(head["digest"]),
        "challenge_body": value["body"],
        "challenge_digest": hashlib.sha256(value["body"]).digest(),
        "plaintext": base.plaintext,
        "response_body": response["body"],
        "response_digest": hashlib.sha256(response["body"]).digest(),
        "cases": [_case(case, base) for case in built],
    }


def _stored_box(case: dict[str, Any]) -> bytes:
    """The sealed box of a stored case: in its proof, or beside it where the proof alters it."""
    if "sealed" in case:
        return bytes.fromhex(case["sealed"])
    if "proof" not in case:
        return b""
    value = reference.file_value("proof", bytes.fromhex(case["proof"]), 2**22)
    box: bytes = read(value["body"], 2**22)["sealed"]
    return box


def _judge(signing: Any, box: Any) -> dict[str, Any]:
    public = judge_map(signing, box)
    return {
        "signing": _key(signing),
        "box": {"secret": box.to_bytes(), "public": box.public.data},
        "encoding": write(public),
        "fingerprint": fingerprint("zkwm-judge-1", public),
    }


def _case(case: Built, base: Built) -> dict[str, Any]:
    """A case as stored: what is the same as in the first case is left out there."""
    examination = examine_case(case)
    values: dict[str, Any] = {"name": case.name, "check": case.check}
    for key in ("commitment", "challenge", "proof", "suspect", "answers"):
        if case is base or getattr(case, key) != getattr(base, key):
            values[key] = getattr(case, key)
    if case.sealed not in case.proof:
        values["sealed"] = case.sealed
    if "answers" in values:
        values["answers"] = [
            {"pixels": image, "output": output} for image, output in case.answers.items()
        ]
    return {
        **values,
        "labels": [trigger.label for trigger in examination.opened],
        "matches": examination.matches,
        "evidence": examination.evidence,
        "checks": examination.results,
    }


def stored(name: str) -> Any:
    """A stored file of vectors; empty when there is none."""
    path = FOLDER / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def generate() -> dict[str, Any]:
    """All files as JSON values."""
    made = {
        "commitment": commitment_vectors(),
        "evidence": evidence_vectors(),
        "exchange": exchange_vectors(stored("exchange")),
        "ranks": ranks_vectors(),
        "scores": scores_vectors(),
        "relearning": relearning_vectors(),
    }
    return {name: hexadecimal(value) for name, value in made.items()}


def main() -> None:
    """Write all files."""
    for name, value in generate().items():
        text = json.dumps(value, indent=1, ensure_ascii=False) + "\n"
        (FOLDER / f"{name}.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
