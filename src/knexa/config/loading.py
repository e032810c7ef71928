"""From presets, files, strategies and flags to one complete configuration, and back to a file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import ValidationError

from knexa.config.checks import check, check_honest
from knexa.config.safety import FaultConfig
from knexa.config.sections import FederationConfig, exchange_share
from knexa.errors import ConfigurationError
from knexa.field_rules import nearest, rules
from knexa.layers import Layer, explain, file_layer, merge, nest, set_layers
from knexa.presets import DEFAULT_PRESET, preset_names, read_preset
from knexa.randomness import stream
from knexa.strategies import PEERS_ONLY, RESET, STRATEGIES, UNDISTILLED

#: What a run is called whose settings no named strategy describes.
CUSTOM = "custom"


def load_config(
    source: str | Path | None = None,
    *,
    preset: str | None = None,
    strategy: str | None = None,
    rounds: int | None = None,
    seed: int | None = None,
    sets: Sequence[str] = (),
) -> FederationConfig:
    """Resolve a configuration: preset, then ``source``, then the strategy, then ``sets`` ("a.b=value"), then flags.

    ``source``: path of a TOML file, or the name of a preset. A file may name its own ``preset`` and ``strategy``; what else it
    says is said about that strategy, and holds. The arguments win over both. Without a strategy nothing is overridden, and the
    run is called ``knexa`` if it equals that strategy, else ``custom``. Strategies that distil nothing (:data:`UNDISTILLED`) get the
    gradient steps that distillation would have taken: teachers and students share one budget. Raises ConfigurationError with one
    sentence: the key as written, what was found, what is allowed.
    """
    if source is not None and str(source) in preset_names() and not Path(source).exists():
        source, preset = None, preset or str(source)
    file = file_layer(Path(source)) if source is not None else Layer("file")
    own = file.data.pop("preset", DEFAULT_PRESET)
    preset = _known("--preset" if preset else f"{file.label} preset", preset or own, preset_names())
    shipped_as = Layer(f"preset {preset}: key", read_preset(preset))
    base = [shipped_as, file]
    top = set_layers(sets)
    top += [Layer(f"--{key}", {key: value}, keyed=False) for key, value in (("rounds", rounds), ("seed", seed)) if value is not None]

    named = strategy or merge([*base, *top]).get("strategy")
    if named is None or named == CUSTOM:
        config = _resolve([*base, *top])
        shipped = _resolve([*base, *top, *_strategy_layers("knexa")])
        return config.model_copy(
            update={"strategy": "knexa" if config == shipped.model_copy(update={"strategy": config.strategy}) else CUSTOM}
        )
    name = _known("--strategy" if strategy else f"{file.label} strategy", named, tuple(STRATEGIES))
    if strategy is None and "strategy" not in merge(top):
        return _with_strategy(name, [shipped_as], [file, *top])
    return _with_strategy(name, base, top)


def to_toml(config: FederationConfig) -> str:
    """The complete configuration as TOML; loading it gives an equal configuration."""
    return tomli_w.dumps(_without_none(config.model_dump(mode="json")))


def _with_strategy(name: str, below: Sequence[Layer], above: Sequence[Layer]) -> FederationConfig:
    config = _resolve([*below, *_strategy_layers(name), *above, Layer("--strategy", {"strategy": name}, keyed=False)])
    return _with_local_budget(config) if name in UNDISTILLED else config


def _strategy_layers(name: str) -> list[Layer]:
    defaults = {rule.key: rule.default for rule in rules(FederationConfig)}
    overrides = {key: defaults[key] if value is RESET else value for key, value in {**PEERS_ONLY, **STRATEGIES[name].overrides}.items()}
    return [Layer(f"strategy {name}: key", nest(key.split("."), value)) for key, value in overrides.items()]


def _with_local_budget(config: FederationConfig) -> FederationConfig:
    """Turn distillation steps into local ones that see as many texts; a step of Eq. 2 sees own and taught ones.

    No distillation step is left over, so resolving a resolved configuration changes nothing.
    """
    texts = config.distillation.steps * (config.distillation.own_batch_size + config.distillation.batch_size)
    extra = math.ceil(texts * exchange_share(config) / config.local.batch_size)
    local = config.local.model_copy(update={"first_steps": config.local.first_steps + extra, "steps": config.local.steps + extra})
    return config.model_copy(update={"local": local, "distillation": config.distillation.model_copy(update={"steps": 0})})


def _resolve(layers: Sequence[Layer]) -> FederationConfig:
    try:
        config = FederationConfig.model_validate(merge(layers))
    except ValidationError as error:
        raise explain(FederationConfig, layers, error) from error
    check(config, layers)
    drawn = config.model_copy(update={"faults": _drawn(config)})
    check_honest(drawn, layers)
    return drawn


def _drawn(config: FederationConfig) -> tuple[FaultConfig, ...]:
    """Its faults with the agents that ``share`` stands for, so that the resolved file says who they are."""
    names = [agent.name for agent in config.agents]
    faults = []
    for number, fault in enumerate(config.faults):
        if fault.share is not None:
            order = stream(config.seed, "fault", number).permutation(len(names))[: round(fault.share * len(names))]
            fault = fault.model_copy(update={"agents": tuple(names[index] for index in sorted(order)), "share": None})
        faults.append(fault)
    return tuple(faults)


def _known(key: str, name: object, known: Sequence[str]) -> str:
    if name not in known:
        raise ConfigurationError(f"{key}: found {name!r}; allowed: {', '.join(known)}{nearest(str(name), known)}")
    return str(name)


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_none(item) for item in value]
    return "none" if value is None else value
