"""The file of a dispute's verdict: a body that its judge signed (SPEC.md 28.7).

The frame alone: what it says is read and written by ``zkwm.disputes.verdict``. The purpose of the
signature is its own, so that no verdict on one claim passes for one on a dispute, or the reverse.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from zkwm_protocols.encoding import decode, encode, pack, unpack
from zkwm_protocols.errors import InvalidSignature
from zkwm_protocols.keys import JudgePublic, SigningKey
from zkwm_protocols.schema import refuse_earlier, require_bytes, require_constants, require_map
from zkwm_protocols.verdict_file import is_trusted

KIND = "dispute-verdict"
FILE_LIMIT = 64 * 2**20
TYPE = "zkwm-dispute-verdict"
VERSION = 2
PURPOSE = "dispute-verdict"
FIELDS = (
    "type version judge title outcome supported rule reason checked trust parties models claims"
    " remarks not_checked equivocations files versions people"
)


@dataclass(frozen=True)
class DisputeVerdictFile:
    """The signed bytes, and the judge's signature (64 bytes). Nothing is verified."""

    body: bytes
    signature: bytes

    @classmethod
    def signed(
        cls, fields: dict[str, Any], judge: JudgePublic, key: SigningKey
    ) -> DisputeVerdictFile:
        """The file with these fields beside type, version and judge, signed by the judge's key.

        Raises Malformed for a value outside of the profile (SPEC.md 3.2).
        """
        body = encode({"type": TYPE, "version": VERSION, "judge": judge.to_map(), **fields})
        return cls(body, key.sign(PURPOSE, hashlib.sha256(body).digest()))

    def to_bytes(self) -> bytes:
        """The file."""
        return pack(KIND, {"body": self.body, "signature": self.signature})

    @classmethod
    def from_bytes(cls, data: bytes) -> DisputeVerdictFile:
        """Read ``to_bytes``; ``verify`` comes next. Raises Malformed or Unsupported."""
        outer = require_map(unpack(KIND, data, limit=FILE_LIMIT), "body signature", "file")
        return cls(require_bytes(outer["body"]), require_bytes(outer["signature"], 64))

    def fields(self) -> dict[str, Any]:
        """The decoded body. Raises Malformed."""
        value = decode(self.body, limit=FILE_LIMIT)
        refuse_earlier(value, TYPE, VERSION, "a dispute's verdict")
        fields = require_map(value, FIELDS, "a dispute's verdict")
        require_constants(
            fields, {"type": TYPE, "version": VERSION}, f"a dispute's verdict of version {VERSION}"
        )
        return fields

    def verify(self, judge: JudgePublic | str) -> dict[str, Any]:
        """The decoded body, once ``judge``, by keys or fingerprint, is found to have signed it.

        Raises InvalidSignature where it names another judge (``dispute.judge``) or was altered
        (``dispute.signature``), Malformed.
        """
        fields = self.fields()
        named = JudgePublic.from_map(fields["judge"])
        if not is_trusted(named, judge):
            raise InvalidSignature(
                f"the verdict on the dispute is another judge's ({named.fingerprint()})",
                hint="compare the fingerprint with what that judge published",
                check="dispute.judge",
            )
        try:
            named.signing.verify(PURPOSE, hashlib.sha256(self.body).digest(), self.signature)
        except InvalidSignature:
            raise InvalidSignature(
                "the judge's signature of the verdict on the dispute does not verify: it was "
                "altered, or the judge never signed it",
                hint="get the file again from the judge",
                check="dispute.signature",
            ) from None
        return fields
