"""Model cards: metadata in YAML on top of a README.md, as hubs keep them and as strangers write."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from tests.fuzz.byte_changes import chosen, mixed
from tests.fuzz.harness import Kind
from tests.fuzz.text_changes import change_lines, change_yaml
from tests.support.cards import CLAIM, claim_map
from tests.support.statements import ED_KEY
from zkwm.model_card.front_matter import read_claims, with_claim
from zkwm.sidecar import ClaimedFile, Sidecar, c2pa_assertion, read_sidecar
from zkwm_protocols.errors import InvalidSignature, Malformed, Unsupported, UsageError

_METADATA: dict[str, Any] = {"license": "mit", "tags": ["a", "b"], "model-index": [{"name": "x"}]}
_BODY = b"\n---\n# A model\n\n---\ntext\n"


def card_kind() -> Kind:
    """A card: read, and given a claim, after which it has that claim and the others it had."""
    plain = with_claim(b"---\nlicense: mit  # mine\n# more\n---\n# A model\n", CLAIM)
    trees = [
        {**_METADATA, "zkwm": [claim_map(), claim_map(commitment="ab" * 32)]},
        {"zkwm": [claim_map(url="https://example.org/a")], **_METADATA},
    ]
    samples = [json.dumps(tree).encode() for tree in trees]

    def change(data: bytes, random: Random) -> bytes:
        """Changed metadata before an honest text, or changed lines."""
        if data.startswith(b"{"):
            end = random.choice([b"\n---\n"] * 9 + [b"\r\n---\r\n", b"\n--- ", b"\n...\n"])
            return b"---\n" + change_yaml(data, random) + end + _BODY
        return change_lines(data, random)

    def read(data: bytes) -> object:
        claims = read_claims(data)
        kept = {claim.commitment: claim for claim in claims} | {CLAIM.commitment: CLAIM}
        written = with_claim(data, CLAIM)
        assert {claim.commitment: claim for claim in read_claims(written)} == kept
        assert with_claim(written, CLAIM) == written
        return claims

    return Kind("model card", mixed(chosen([*samples, plain]), change), read,
                (Malformed, UsageError))  # fmt: skip


def sidecar_kind() -> Kind:
    """A claim beside a model, as in-toto and C2PA carry it."""
    envelope = Sidecar(b"D" * 32, (ClaimedFile("model.onnx", b"m" * 32),)).signed(ED_KEY)
    samples = [envelope, c2pa_assertion(envelope)]

    def read(data: bytes) -> object:
        return read_sidecar(data, [ED_KEY.public])

    return Kind("sidecar", mixed(chosen(samples), change_lines), read,
                (Malformed, Unsupported, InvalidSignature))  # fmt: skip


def kinds() -> list[Kind]:
    """All kinds of this file."""
    return [card_kind(), sidecar_kind()]
