"""The owner's side of timestamps: ask authorities, keep all that a verification needs (SPEC.md 22).

::

    addresses      where an authority is, and where its certificates may send us
    fetch          one request to one URL, and what its reply has to be
    ask            a token from an authority (RFC 3161)
    material       issuers, CRLs and OCSP responses that certificates name
    new_timestamp  a commitment's new timestamp, verified before anybody keeps it

What authorities answer is not believed here: whoever verifies a commitment does that offline.
"""

from __future__ import annotations

from zkwm.timestamp_client.new_timestamp import Obtained, obtain

__all__ = ["Obtained", "obtain"]
