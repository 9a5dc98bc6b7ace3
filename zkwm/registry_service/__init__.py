"""The registry as a service: HTTP API, claims, verdicts, and pages for people.

``jobs``, ``worker`` and ``handlers`` do work in the background, by leases; ``webhooks``,
``deliveries`` and ``signed_delivery`` tell others of events.
"""
