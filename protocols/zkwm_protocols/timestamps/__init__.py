"""RFC 3161 timestamps of a commitment: evidence, offline verification, beacon (SPEC.md 22).

::

    evidence            what a commitment file carries for each authority, with limits
    authority           an authority as a judge's policy states it; what a verified token says
    structures          ASN.1 of tokens, for the strict decoder of cryptography
    token               a token as data: CMS with one signer
    tst_info            what the authority says: time, accuracy, imprint, nonce, policy
    signed_attributes   what is signed with it: digest of the content, name of the certificate
    signature           allowed algorithms and keys; the one form of a signature
    chain               from the signer to a root of the authority, at the token's time
    revocation          whether that chain was revoked, by
    crl, ocsp           what a list or a response says about one certificate, as a
    statement           for which time it counts, and whether it voids a token
    request             a request's bytes, and the token in an authority's response
    verification        all of it in order, with rfc3161-client as a second reader
    beacon              32 bytes that nobody knew before the authority signed

No sockets, clocks or files: a token is verified at its own time, from bytes that lie in the
commitment file and roots that the judge trusts.
"""
