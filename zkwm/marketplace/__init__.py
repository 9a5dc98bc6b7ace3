"""A marketplace: registered commitments, listings, cases and verdicts in a database, and a judge.

``Marketplace`` (``desk``) is the interface; ``database`` keeps SQLite and PostgreSQL alike, with
the tables of ``tables`` and those of the judge's ledger; ``cases``, ``registrations`` and
``kept_verdicts`` write them, ``screening`` reads who could claim, ``many`` settles claims in other
processes (``worker``). Needs the extra ``marketplace``.
"""

from zkwm.marketplace.cases import Case, CaseState
from zkwm.marketplace.claims import Claim, Settled
from zkwm.marketplace.desk import Marketplace
from zkwm.marketplace.many import Settling
from zkwm.marketplace.registrations import Listing, Registration
from zkwm.marketplace.screening import NoStanding, Screening, Standing

__all__ = [
    "Case",
    "CaseState",
    "Claim",
    "Listing",
    "Marketplace",
    "NoStanding",
    "Registration",
    "Screening",
    "Settled",
    "Settling",
    "Standing",
]
