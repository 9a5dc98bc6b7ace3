"""The registry as a service: HTTP API, claims, verdicts, and pages for people."""
