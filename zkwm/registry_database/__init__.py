"""The database that a marketplace (``zkwm.marketplace``) and a registry's service share.

One model, whichever of the two made it: commitments, listings, cases and verdicts, the judge's
ledger, and what only the service writes. ``tables`` and ``service_tables`` say what stands in
it, ``database`` opens it, ``location`` finds it, ``events`` is the feed of what happened,
``migrations`` brings an older one up to date by alembic. Needs the extra ``marketplace``;
migrations need ``registry``.
"""
