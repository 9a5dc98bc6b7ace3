"""All kinds of foreign bytes that zkwm reads."""

from __future__ import annotations

import functools

from tests.fuzz import (
    archive_files,
    card_files,
    data_files,
    dispute_files,
    endpoint_protocols,
    given_files,
    key_files,
    log_files,
    model_files,
    own_files,
    protocol_files,
    replies,
    timestamp_files,
    trust_files,
    worker_results,
)
from tests.fuzz.harness import Kind

ROOMS = (
    protocol_files,
    data_files,
    dispute_files,
    model_files,
    replies,
    worker_results,
    endpoint_protocols,
    own_files,
    given_files,
    card_files,
    archive_files,
    log_files,
    key_files,
    timestamp_files,
    trust_files,
)


@functools.cache
def all_kinds() -> dict[str, Kind]:
    """Every kind by its name."""
    kinds = [kind for room in ROOMS for kind in room.kinds()]
    found = {kind.name: kind for kind in kinds}
    assert len(found) == len(kinds), "two kinds have one name"
    return found
