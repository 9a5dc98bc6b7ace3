"""The files of a dispute, and what they hold inside: SPEC.md 3 to 6, 11, 16 to 18."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import pytest

from tests.fuzz.byte_changes import chosen, headed, mixed
from tests.fuzz.cbor_changes import change_cbor
from tests.fuzz.harness import DOCUMENT_ERRORS, Kind
from tests.support.small_networks import random_network, two_class_network
from tests.support.spec_documents import (
    LIMIT,
    Document,
    private_documents,
    public_documents,
)
from tests.support.stored_vectors import cases, judge_key, vectors
from tests.vectors.argument import PROOF, vector_case
from zkwm.judge.verdict import Verdict
from zkwm.owner.vault.state import VaultState
from zkwm.report import render_report, render_text
from zkwm.secret_files.encrypted import Container
from zkwm_cli.inspection import inspect_file
from zkwm_protocols.argument.proof import read_proof
from zkwm_protocols.argument_response import read_response
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.commitment import Commitment, Header
from zkwm_protocols.encoding import decode, encode, first_line
from zkwm_protocols.errors import InvalidOpening, InvalidSignature, ZkwmError
from zkwm_protocols.integer_network import codec
from zkwm_protocols.keys import JudgePublic
from zkwm_protocols.opening import Opening, check_leaves, open_sealed
from zkwm_protocols.sealing import seal

Read = TypeVar("Read")
Valid = Callable[[Random], bytes]


@functools.cache
def documents() -> dict[str, Document]:
    """Valid documents as the code writes them, by name."""
    with tempfile.TemporaryDirectory() as folder:
        return public_documents() | private_documents(Path(folder))


def valid(kind: str, *names: str) -> list[bytes]:
    """Whole files of a kind, the valid ones of these names."""
    return [first_line(kind) + b"\n" + documents()[name].data for name in names]


def _file(
    name: str, samples: list[bytes] | Valid, read: Callable[[bytes], Any], **more: Any
) -> Kind:
    """A kind of zkwm file that is written back."""
    source = chosen(samples) if isinstance(samples, list) else samples
    more.setdefault("again", lambda value: value.to_bytes())
    return Kind(name, mixed(source, headed(change_cbor)), read, **more)


def _bodies(kind: str, names: list[str], **signed: Any) -> list[bytes]:
    """Files around bodies."""
    return [
        first_line(kind) + b"\n" + encode({"body": documents()[name].data, **signed})
        for name in names
    ]


def exchange_kinds() -> list[Kind]:
    """What parties send each other."""
    stored = cases()[0]
    challenges = _bodies(
        "challenge",
        [
            "challenge for an opening",
            "challenge for ranks",
            "challenge for scores",
            "challenge for an argument",
        ],
        signature=bytes(64),
    )
    responses = _bodies(
        "proof",
        ["opening", "argument", "argument of derived labels", "refusal"],
        signatures=[bytes(64)],
    )
    commitments = [
        *valid("commitment", "commitment", "commitment to declared labels"), stored.commitment
    ]  # fmt: skip
    every = [*commitments, *challenges, *responses, *valid("judge-public", "judge"),
             *valid("vault", "vault file"), *valid("judge-key", "judge-key file"),
             *valid("log-key", "log-key file"), *valid("witness-key", "witness-key file"),
             codec.to_bytes(two_class_network())]  # fmt: skip
    commitment: Any = Commitment.from_bytes(stored.commitment)
    challenge: Any = Challenge.from_bytes(stored.challenge)

    def read_commitment(data: bytes) -> Commitment:
        return _examined(Commitment.from_bytes(data), Commitment.verify)

    def read_challenge(data: bytes) -> Challenge:
        read = Challenge.from_bytes(data)
        _examined(read, Challenge.verify_signature)
        return _examined(read, lambda challenge: challenge.verify_against(commitment))

    def read_answer(data: bytes) -> Any:
        read = read_response(data)
        _examined(read, lambda response: response.verify_signatures(commitment.header))
        return _examined(read, lambda response: response.verify_against(commitment, challenge))

    return [
        _file("commitment", commitments, read_commitment),
        _file("challenge", [*challenges, stored.challenge], read_challenge),
        _file("response", [*responses, stored.proof], read_answer),
        _file("judge's public key", valid("judge-public", "judge"), JudgePublic.from_bytes),
        Kind("header", mixed(chosen([documents()["header"].data]), change_cbor), Header.from_bytes,
             again=lambda header: header.to_bytes()),
        Kind("any file, inspected", mixed(chosen(every), headed(change_cbor)), _inspected),
    ]  # fmt: skip


def _examined(value: Read, check: Callable[[Read], object]) -> Read:
    """What was read, after checks that may refuse it, but by an error of zkwm alone."""
    with suppress(ZkwmError):
        check(value)
    return value


def _inspected(data: bytes) -> None:
    """What ``zkwm inspect`` does: read, check what can be checked, describe."""
    inspect_file(data).to_json()


def verdict_kinds() -> list[Kind]:
    """A signed verdict: what the judge's public key refuses, and what is read before and behind it.

    A reader that shows unverified verdicts meets any body; so does one whose judge signs anything.
    """
    names = ["verdict", "verdict by ranks", "verdict by points", "verdict on an argument",
             "verdict on nothing"]  # fmt: skip
    bodies = _bodies("verdict", names, signature=bytes(64))
    stored = bytes.fromhex(vectors("verdict")["cases"][0]["file"])
    public = JudgePublic.from_bytes(bytes.fromhex(vectors("verdict")["judge"]["public"]))

    def shown(data: bytes) -> Verdict:
        verdict = Verdict.from_unverified(data)
        verdict.to_json()
        render_text(verdict)
        render_report(verdict, public=True)
        with pytest.raises(InvalidSignature):  # nobody signed it
            Verdict.from_bytes(data, public)
        return verdict

    def verified(data: bytes) -> bytes:
        Verdict.from_bytes(data, public)
        return data

    return [
        Kind("verdict, unverified", mixed(chosen(bodies), headed(change_cbor)), shown,
             note="shown as text, page and JSON"),
        Kind("signed verdict", mixed(chosen([stored]), headed(change_cbor)), verified,
             (*DOCUMENT_ERRORS, InvalidSignature), again=lambda data: data),
    ]  # fmt: skip


def sealed_kind() -> Kind:
    """The plaintext of an opening, sealed to the judge by whoever sends it."""
    case, key = cases()[0], judge_key()
    commitment = Commitment.from_bytes(case.commitment)
    challenge: Any = Challenge.from_bytes(case.challenge)
    opening = Opening.from_bytes(case.proof)
    good = open_sealed(commitment, challenge, opening, key.box)
    plaintext = encode(
        {
            "challenge": challenge.digest,
            "blocks": [
                {
                    "block": block.block,
                    "triggers": [
                        trigger
                        and {
                            "pixels": trigger.pixels.tobytes(),
                            "salt": trigger.salt,
                            "label": trigger.label,
                        }
                        for trigger in block.triggers
                    ],
                }
                for block in good
            ],
        }
    )

    def read(data: bytes) -> object:
        sent = replace(opening, sealed=seal(data, key.public.box))
        return check_leaves(commitment, open_sealed(commitment, challenge, sent, key.box))

    return Kind("sealed plaintext", mixed(chosen([plaintext]), change_cbor), read)


def argument_kind() -> Kind:
    """The proof inside of an argument: form, parameters and lengths."""
    layout = vector_case().layout

    def read(data: bytes) -> object:
        return read_proof(
            data,
            triggers=layout.triggers,
            cells=layout.cells,
            lookups=layout.lookups,
            rows=layout.rows,
        )

    return Kind(
        "argument",
        mixed(chosen([PROOF.read_bytes()]), change_cbor),
        read,
        (*DOCUMENT_ERRORS, InvalidOpening),
        again=lambda proof: proof.to_bytes(),
        note="reading alone; its equations are tried by tests/adversarial",
    )


def network_kind() -> Kind:
    """The file of an integer network."""

    @functools.cache
    def network(seed: int) -> bytes:
        return codec.to_bytes(random_network(seed))

    def source(random: Random) -> bytes:
        seed = random.randrange(60)
        return codec.to_bytes(two_class_network()) if seed == 0 else network(seed)

    return _file("integer network", source, codec.from_bytes, again=codec.to_bytes)


def secret_kinds() -> list[Kind]:
    """What vault and key files hold, before and behind the passphrase."""
    vault = documents()["vault"].data

    def read(data: bytes) -> VaultState:
        return VaultState.from_map(decode(data, limit=LIMIT))

    def container(kind: str) -> Kind:
        return Kind(
            f"{kind} container",
            mixed(chosen(valid(kind, f"{kind} file")), headed(change_cbor)),
            functools.partial(Container.from_bytes, kind),
            note="up to the derivation of the key",
        )

    return [
        Kind("vault's content", mixed(chosen([vault]), change_cbor), read,
             again=lambda state: encode(state.to_map())),
        container("vault"),
        container("judge-key"),
        container("log-key"),
        container("witness-key"),
    ]  # fmt: skip


def kinds() -> list[Kind]:
    """All kinds of this file."""
    return [
        *exchange_kinds(),
        *verdict_kinds(),
        sealed_kind(),
        argument_kind(),
        network_kind(),
        *secret_kinds(),
    ]
