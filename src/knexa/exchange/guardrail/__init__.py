"""The guardrail: what may leave an agent in a text, and what it takes in."""

from knexa.exchange.guardrail.guardrail import Guardrail
from knexa.exchange.guardrail.incoming import IncomingFilter
from knexa.exchange.guardrail.review import Action, Finding, Review, Reviewed, count_tokens

__all__ = ["Action", "Finding", "Guardrail", "IncomingFilter", "Review", "Reviewed", "count_tokens"]
