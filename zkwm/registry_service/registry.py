"""What one running service has: its database, the log, the judges it trusts, the keys it made."""

from __future__ import annotations

from dataclasses import dataclass, field

from zkwm.registry_database.database import Database
from zkwm.registry_service.api_keys import ApiKeys
from zkwm.registry_service.bodies import Bodies
from zkwm.registry_service.callers import Callers
from zkwm.registry_service.merged_files import KnownDates
from zkwm.transparency_log.admission import Scope
from zkwm.transparency_log.log_service import LogService
from zkwm_protocols.keys import BoxPublicKey, JudgePublic
from zkwm_protocols.transparency.policy import LogPolicy
from zkwm_protocols.trust import Trust


@dataclass
class Registry:
    """The parts that routes use; made once, used by one event loop and its threads.

    Args:
        database: of the service.
        log: the running log, which takes the owners' and judges' statements.
        judges: those whose challenges and verdicts count.
        webhooks: the public key to which secrets of webhooks are sealed; None for no webhooks.
        trust: whose timestamps and logs count first in a commitment's file; None for nobody's but
            this log's.
        policy: of the log's witnesses; None without any.
    """

    database: Database
    log: LogService
    judges: tuple[JudgePublic, ...]
    webhooks: BoxPublicKey | None = None
    trust: Trust | None = None
    policy: LogPolicy | None = None
    bodies: Bodies = field(default_factory=Bodies)
    callers: Callers = field(init=False)
    known: KnownDates = field(init=False)

    def __post_init__(self) -> None:
        self.callers = Callers(ApiKeys(self.database))
        others = None if self.trust is None else self.trust.read_log_policy()
        policies = (self.policy, LogPolicy.of_keys(self.log.keys), others)
        self.known = KnownDates(tuple(one for one in policies if one is not None), self.trust)

    async def append(self, statement: bytes, scope: Scope) -> int:
        """Have a statement appended to the log; return its index once it is durable.

        ``scope`` is the request, whose API key was counted. Raises RefusedError, also where the
        log's disk is too full, CouldNotCheck or TimeoutError.
        """
        asker = await self.log.admission.admit(scope)
        done, _ = await self.log.register(statement, asker)
        return done.index
