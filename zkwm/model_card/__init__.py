"""Model cards: which commitments claim a model, written into and read from a README.md.

A hub shows a model's README.md as its card, with metadata in YAML on top (the "front matter"), and
keeps keys that it does not know. Under the key ``zkwm`` stands a list of claims (SPEC.md 21).

- ``claim``: one claim as data
- ``front_matter``: where the claims stand in a card; nothing else of it is changed
- ``find``: the claims about a model at hand, compared with its digest and with commitments
- ``card``: all of it in three calls, which the public API has

A card is what somebody wrote, and anybody can write one: it proves nothing. ``zkwm verify`` does.
"""
