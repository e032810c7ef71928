"""What agents and coordinator must have alike."""

from __future__ import annotations

import hashlib
import json

from knexa.config import FederationConfig


def settings_hash(config: FederationConfig) -> str:
    """SHA-256 of everything in a configuration but how a machine divides its work."""
    fields = config.model_dump(mode="json", exclude={"engine"})
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
