"""A LoRA adapter on a frozen backbone (Hu et al. 2021, arXiv 2106.09685), its rank chosen for a target trainable share.

The adapter is *folded*: every forward pass uses W + (alpha / rank) B A as the weight of a layer, instead of adding a second,
thin product to each layer's output. For the small matrices of CPU-sized models the thin products cost more than the
backbone itself (docs/learning.md has the measurement), folding makes training as fast as full fine-tuning, and generation
as fast as the bare backbone. Files are in PEFT's format: ``PeftModel.from_pretrained`` loads what :meth:`Adapter.save` writes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig
from safetensors.torch import save_file
from torch.func import functional_call
from transformers.pytorch_utils import Conv1D

from knexa.errors import ModelError
from knexa.learning.backbone import Backbone

#: alpha / rank: the paper has alpha = 4 x rank at rank 8.
ALPHA_OVER_RANK = 4


@dataclass(frozen=True, slots=True)
class _Layer:
    """One adapted weight. ``transposed``: stored as [in, out] (GPT-2's Conv1D) instead of [out, in]."""

    module: str
    weight: torch.nn.Parameter
    transposed: bool

    @property
    def sizes(self) -> tuple[int, int]:
        """(in, out)."""
        rows, columns = self.weight.shape
        return (rows, columns) if self.transposed else (columns, rows)


class Adapter:
    """A and B of every linear layer inside the blocks of ``backbone``. ``share``: trainable over all parameters."""

    def __init__(self, backbone: Backbone, target_share: float) -> None:
        self._backbone = backbone
        self._layers = _linear_layers(backbone)
        per_rank = sum(sum(layer.sizes) for layer in self._layers)
        self.rank = max(1, round(target_share * backbone.parameters / (per_rank * (1.0 - target_share))))
        self.share = self.rank * per_rank / (backbone.parameters + self.rank * per_rank)
        self._a = [torch.nn.Parameter(torch.zeros(self.rank, layer.sizes[0])) for layer in self._layers]
        self._b = [torch.nn.Parameter(torch.zeros(layer.sizes[1], self.rank)) for layer in self._layers]

    def reset(self, seed: int) -> None:
        """A drawn uniformly within 1/sqrt(in) from ``seed``, B zero: the model starts as the backbone itself."""
        random = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for a, b in zip(self._a, self._b, strict=True):
                bound = 1.0 / math.sqrt(a.shape[1])
                a.uniform_(-bound, bound, generator=random)
                b.zero_()

    def parameters(self) -> list[torch.nn.Parameter]:
        return [*self._a, *self._b]

    def tensors(self) -> dict[str, torch.Tensor]:
        """The adapter by PEFT's names. Shares memory with the parameters."""
        named = {}
        for layer, a, b in zip(self._layers, self._a, self._b, strict=True):
            named[f"base_model.model.{layer.module}.lora_A.weight"] = a.detach()
            named[f"base_model.model.{layer.module}.lora_B.weight"] = b.detach()
        return named

    def load(self, tensors: dict[str, torch.Tensor]) -> None:
        """Copy values in. Raises ModelError if names or shapes are those of another adapter."""
        own = self.tensors()
        if {name: t.shape for name, t in own.items()} != {name: t.shape for name, t in tensors.items()}:
            raise ModelError(f"an adapter for another backbone or rank than '{self._backbone.name}' at rank {self.rank} was given")
        for name, tensor in own.items():
            tensor.copy_(tensors[name])

    def save(self, folder: Path) -> None:
        """Write ``adapter_config.json`` and ``adapter_model.safetensors``."""
        config = LoraConfig(
            task_type="CAUSAL_LM",
            r=self.rank,
            lora_alpha=ALPHA_OVER_RANK * self.rank,
            target_modules=sorted({layer.module for layer in self._layers}),
            fan_in_fan_out=any(layer.transposed for layer in self._layers),
            base_model_name_or_path=self._backbone.name,
            inference_mode=True,
        )
        folder.mkdir(parents=True, exist_ok=True)
        config.save_pretrained(str(folder))
        save_file({name: tensor.contiguous() for name, tensor in self.tensors().items()}, str(folder / "adapter_model.safetensors"))

    def forward(self, **inputs: Any) -> Any:
        """The adapted model's output; gradients reach A and B."""
        return functional_call(self._backbone.model, self._folded(), kwargs=inputs)

    @contextmanager
    def folded_in(self) -> Iterator[Any]:
        """The backbone's model with the adapter folded into its weights, for reading only; the exact weights come back after."""
        originals = [layer.weight.data for layer in self._layers]
        with torch.no_grad():
            folded = self._folded()
        try:
            for layer in self._layers:
                layer.weight.data = folded[f"{layer.module}.weight"]
            yield self._backbone.model
        finally:
            for layer, original in zip(self._layers, originals, strict=True):
                layer.weight.data = original

    def _folded(self) -> dict[str, torch.Tensor]:
        weights = {}
        for layer, a, b in zip(self._layers, self._a, self._b, strict=True):
            delta = a.T @ b.T if layer.transposed else b @ a
            weights[f"{layer.module}.weight"] = torch.add(layer.weight, delta, alpha=ALPHA_OVER_RANK)
        return weights


def _linear_layers(backbone: Backbone) -> list[_Layer]:
    model: Any = backbone.model
    head = model.get_output_embeddings()
    found = []
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear | Conv1D) and module is not head:
            weight: Any = module.weight
            found.append(_Layer(name, weight, transposed=isinstance(module, Conv1D)))
    if not found:
        raise ModelError(f"backbone '{backbone.name}' has no linear layer to attach LoRA to")
    return found
