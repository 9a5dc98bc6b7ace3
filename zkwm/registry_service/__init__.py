"""The registry as a service: claims and verdicts of marketplaces and judges beside a public log.

Everybody reads; who writes has an API key, and what they write is signed by an owner or a judge,
whom the service verifies: it holds no secret of theirs, and runs no model. A judge's worker,
another process, does both. Read in this order:

- ``folder``: where the service's parts are; ``registry``: what one running service has.
- ``api_keys``, ``callers``, ``rates``: keys and scopes; who calls, and how often.
- ``problems``, ``bodies``: errors as problem details; bodies within limits.
- ``commitments``, ``merged_files``, ``claims``: what is checked before anything is kept.
- ``messages``, ``commitment_routes``, ``claim_routes``, ``log_routes``: the API under ``/v1``.
- ``description``, ``application``, ``serve``: OpenAPI, the whole app, the process.
- ``jobs``, ``worker``, ``handlers``: work in the background, by leases.
- ``verdict_jobs``, ``judging``, ``logged_verdicts``, ``run_worker``: a judge's worker decides.
- ``webhooks``, ``deliveries``, ``signed_delivery``: others are told of events.
- ``observed``, ``metrics``, ``log_gauges``, ``json_logs``: how it is doing, for its operator.
- ``backup``, ``checksums``: a copy of a registry that runs, and its way back.
- ``pages``: the same for people.

Needs the extra ``registry``.
"""
