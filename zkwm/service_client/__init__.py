"""A client of a registry's service: ``outgoing`` says what a file is, ``send`` brings it there."""
