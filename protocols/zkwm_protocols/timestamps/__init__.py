"""RFC 3161 timestamps of a commitment: evidence, authorities (SPEC.md 22).

::

    evidence      what a commitment file carries for each authority, with limits
    authority     an authority as a judge's policy states it; what a verified token says

No sockets, clocks or files: a token is verified at its own time, from bytes that lie in the
commitment file and roots that the judge trusts.
"""
