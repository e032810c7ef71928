"""Named strategies: what is compared with what, as overrides of the configuration.

A strategy replaces only the keys that tell the compared methods apart; fleet, data, budgets and seeds stay as configured, so
that all strategies of one comparison start from the same bytes and spend the same gradient steps.

``RESET`` means "as KNEXA ships it": the key goes back to its default, whatever a preset or a file says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

#: Stands for the default of a key.
RESET: Final = "<default>"

#: What every strategy says that does not say otherwise: no server, and private data stay private.
PEERS_ONLY: Mapping[str, object] = MappingProxyType({"central.method": RESET, "data.pooled": RESET})

#: Strategies without distillation: its gradient steps move into their local updates (:func:`knexa.config.load_config`).
UNDISTILLED: Final = ("local", "fedavg", "all-data")

_ALONE = {"matching.matchmaker": "local"}
_OPTIONS = ("distillation.candidates", "distillation.keep", "distillation.agreement", "distillation.alpha", "matching.only_better")
_NO_OPTIONS = dict.fromkeys(_OPTIONS, RESET)
_PLAIN = {
    "distillation.acceptance": None,
    "distillation.verify": False,
    "distillation.memory": False,
    "matching.curriculum": False,
    **_NO_OPTIONS,
}
_TAUGHT = ("distillation.acceptance", "distillation.verify", "distillation.memory", "matching.curriculum", "matching.probe")
_SHIPPED_TEACHING = {**dict.fromkeys(_TAUGHT, RESET), **_NO_OPTIONS}
_BANDIT = ("matching.bandit", "matching.schedule", "matching.discount", "matching.trust", "reward.scale")
_SHIPPED_CHOICE = {"matching.matchmaker": "knexa", "matching.context": RESET, "matching.pairing": RESET, **dict.fromkeys(_BANDIT, RESET)}
_SHIPPED = {**_SHIPPED_CHOICE, **_SHIPPED_TEACHING}


@dataclass(frozen=True, slots=True)
class Strategy:
    """``overrides``: dotted key to value or :data:`RESET`. ``summary``: one line for ``--help`` and the docs."""

    summary: str
    overrides: Mapping[str, object]


#: Each is laid over :data:`PEERS_ONLY`.
STRATEGIES: Mapping[str, Strategy] = MappingProxyType(
    {
        "local": Strategy("no exchange; the texts of distillation steps are made up for by local ones", _ALONE),
        "random": Strategy("random pairs, plain distillation as in the paper", {"matching.matchmaker": "random", **_PLAIN}),
        "heuristic": Strategy(
            "most different data first, the better one teaches, plain distillation", {"matching.matchmaker": "heuristic", **_PLAIN}
        ),
        "fedskd": Strategy("round-robin over all peers, no matchmaker, plain distillation", {"matching.matchmaker": "fedskd", **_PLAIN}),
        "gossip": Strategy("a ring, both neighbours in turn, plain distillation", {"matching.matchmaker": "gossip", **_PLAIN}),
        "fedavg": Strategy("a server averages the adapters of equal backbones, no distillation", {**_ALONE, "central.method": "fedavg"}),
        "central-kd": Strategy(
            "a server averages what all agents find likely, across vocabularies; everybody distils the mean",
            {**_ALONE, "central.method": "central-kd", **_PLAIN},
        ),
        "fedid": Strategy(
            "a server model learns the answers with the most confident votes, and teaches everybody",
            {**_ALONE, "central.method": "fedid", **_PLAIN},
        ),
        "all-data": Strategy("everybody trains on the private data of all, no exchange (upper bound)", {**_ALONE, "data.pooled": True}),
        "knexa": Strategy("as shipped: bandit on gaps, curriculum, verification, memory", _SHIPPED),
        "paper": Strategy(
            "the paper's KNEXA: concatenated profiles, greedy pairs, plain distillation, reward on private validation loss",
            {
                "matching.matchmaker": "knexa",
                "matching.context": "concat",
                "matching.bandit": "linucb",
                "matching.schedule": "constant",
                "matching.discount": 1.0,
                "matching.pairing": "greedy",
                "matching.probe": False,
                "matching.trust": False,
                "reward.scale": "moments",
                "reward.measure": "validation",
                **_PLAIN,
            },
        ),
        "oracle": Strategy(
            "tries every pair before choosing (upper bound), teaching as shipped", {"matching.matchmaker": "oracle", **_SHIPPED_TEACHING}
        ),
        "random-shipped": Strategy("random pairs, teaching as shipped", {"matching.matchmaker": "random", **_SHIPPED_TEACHING}),
        "knexa-plain": Strategy("KNEXA's choice of pairs, plain distillation", {**_SHIPPED, **_PLAIN}),
        "knexa-no-verify": Strategy(
            "ablation: teacher texts are not checked by the public tests", {**_SHIPPED, "distillation.verify": False}
        ),
        "knexa-no-memory": Strategy("ablation: verified texts are not replayed", {**_SHIPPED, "distillation.memory": False}),
        "knexa-no-curriculum": Strategy("ablation: prompts are not spread by need", {**_SHIPPED, "matching.curriculum": False}),
        "knexa-no-trust": Strategy("ablation: every report counts alike, whoever made it", {**_SHIPPED, "matching.trust": False}),
        "knexa-concat": Strategy("ablation: the paper's concatenated context", {**_SHIPPED, "matching.context": "concat"}),
        "knexa-greedy": Strategy("ablation: the paper's greedy pairs", {**_SHIPPED, "matching.pairing": "greedy"}),
        "knexa-alpha-fixed": Strategy(
            "ablation: alpha stays at the mean of its schedule",
            {**_SHIPPED, "distillation.alpha_start": 0.35, "distillation.alpha_end": 0.35},
        ),
        "knexa-no-rollback": Strategy("ablation: no exchange is undone", {**_SHIPPED, "distillation.rollback": None}),
        "knexa-no-acceptance": Strategy(
            "ablation: no exchange is undone for what it does to the probe", {**_SHIPPED, "distillation.acceptance": None}
        ),
        "knexa-no-guardrail": Strategy(
            "ablation: texts are reviewed neither on the way out nor on the way in",
            {**_SHIPPED, "guardrail.outgoing": False, "guardrail.incoming": False},
        ),
        "knexa-candidates": Strategy(
            "option: four texts for each of a quarter of the prompts, the best verified one is kept",
            {**_SHIPPED, "distillation.candidates": 4},
        ),
        "knexa-keep": Strategy(
            "option: of texts that no test checks, the half that the teacher is most sure of", {**_SHIPPED, "distillation.keep": 0.5}
        ),
        "knexa-agreement": Strategy(
            "option: of several teachers' unchecked texts for a prompt, the one most like the others",
            {**_SHIPPED, "distillation.agreement": True},
        ),
        "knexa-only-better": Strategy(
            "option: a teacher is asked only in categories where it is better than its student", {**_SHIPPED, "matching.only_better": True}
        ),
        "knexa-alpha-need": Strategy(
            "option: alpha grows with how much there is to learn from peers, not with the rounds",
            {**_SHIPPED, "distillation.alpha": "need"},
        ),
    }
)
