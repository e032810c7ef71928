"""The values of a running simulation as JSON and back, exactly: for checkpoints."""

from __future__ import annotations

from knexa.protocol.encoding import JsonForm
from knexa.simulation import agenda

_FORM = JsonForm(agenda.Arrival, agenda.WakeUp, agenda.WorkDone)

to_json = _FORM.to_json
from_json = _FORM.from_json
