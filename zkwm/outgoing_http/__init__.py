"""The one way by which the product asks others over HTTP, within limits of time, bytes and place.

::

    location    a URL taken apart; what a URL must not carry
    rules       where a URL may lead: one's own word, a certificate's, a stranger's
    resolution  a host's addresses, looked up once and within the deadline
    deadline    the end of a whole exchange, which shuts its socket
    connection  one connection, to an address that was checked; requests and bounded replies

Nothing is followed that a reply names: redirects are replies like others. Proxies of the
environment are not used, certificates are always checked, and compressed replies are refused.
``tests/architecture/test_outgoing.py`` holds that no other package opens a connection.
"""
