"""The file of a verdict: a body that the judge signed for the purpose ``verdict`` (SPEC.md 10.4).

The frame alone: what a verdict says is read and written by ``zkwm.judge.verdict``. A signature for
another purpose, such as that of a challenge, is none of a verdict.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from zkwm_protocols.encoding import decode, encode, pack, unpack
from zkwm_protocols.errors import InvalidSignature, Malformed, UsageError
from zkwm_protocols.fingerprints import read_fingerprint
from zkwm_protocols.keys import JudgePublic, SigningKey
from zkwm_protocols.schema import refuse_earlier, require_bytes, require_constants, require_map

FILE_LIMIT = 64 * 2**20
TYPE = "zkwm-verdict"
VERSION = 4
PURPOSE = "verdict"
FIELDS = (
    "type version judge outcome reason hint checked checks commitment header challenge proof blocks"
    " triggers evidence declared_labels_accepted suspect_record versions argued functions_tried"
    " asked first_seen dates class_names particulars files"
)


@dataclass(frozen=True)
class VerdictFile:
    """The signed bytes of a verdict, and the judge's signature (64 bytes). Nothing is verified."""

    body: bytes
    signature: bytes

    @classmethod
    def signed(cls, fields: dict[str, Any], judge: JudgePublic, key: SigningKey) -> VerdictFile:
        """The file with these fields beside type, version and judge, signed by the judge's key.

        Raises Malformed for a value outside of the profile (SPEC.md 3.2).
        """
        body = encode(
            {"type": TYPE, "version": VERSION, "judge": judge.to_map(), **fields},
        )
        return cls(body, key.sign(PURPOSE, hashlib.sha256(body).digest()))

    def to_bytes(self) -> bytes:
        """The file."""
        return pack("verdict", {"body": self.body, "signature": self.signature})

    @classmethod
    def from_bytes(cls, data: bytes) -> VerdictFile:
        """Read ``to_bytes``; ``verify`` comes next. Raises Malformed or Unsupported."""
        outer = require_map(unpack("verdict", data, limit=FILE_LIMIT), "body signature", "file")
        return cls(require_bytes(outer["body"]), require_bytes(outer["signature"], 64))

    def fields(self) -> dict[str, Any]:
        """The decoded body. Raises Malformed or Unsupported."""
        body = decode(self.body, limit=FILE_LIMIT)
        refuse_earlier(body, TYPE, VERSION, "a verdict")
        fields = require_map(body, FIELDS, "verdict")
        require_constants(
            fields, {"type": TYPE, "version": VERSION}, f"a verdict of version {VERSION}"
        )
        return fields

    def verify(self, judge: JudgePublic | str) -> dict[str, Any]:
        """The decoded body, once ``judge``, by keys or fingerprint, is found to have signed it.

        Raises InvalidSignature where it names another judge (``verdict.judge``) or was altered
        (``verdict.signature``), Malformed or Unsupported (``verdict.format``).
        """
        fields = self.fields()
        named = JudgePublic.from_map(fields["judge"])
        if not is_trusted(named, judge):
            raise InvalidSignature(
                f"the verdict is another judge's ({named.fingerprint()}), or of nobody",
                hint="compare the fingerprint with what that judge published; whoever makes a key "
                "can sign a verdict with it",
                check="verdict.judge",
            )
        try:
            named.signing.verify(PURPOSE, hashlib.sha256(self.body).digest(), self.signature)
        except InvalidSignature:
            raise InvalidSignature(
                "the judge's signature of the verdict does not verify: it was altered, or the "
                "judge never signed it",
                hint="get the file again from the judge",
                check="verdict.signature",
            ) from None
        return fields


def is_trusted(judge: JudgePublic, trusted: JudgePublic | str) -> bool:
    """Whether these are the trusted keys, or those with the trusted fingerprint.

    Raises UsageError for a text that is no fingerprint.
    """
    if isinstance(trusted, JudgePublic):
        return judge == trusted
    try:
        return judge.fingerprint() == read_fingerprint(trusted)
    except Malformed as error:
        raise UsageError(error.message, hint=error.hint) from None
