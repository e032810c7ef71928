"""A LoRA adapter on a frozen backbone (Hu et al. 2021, arXiv 2106.09685), its rank chosen for a target trainable share.

The adapter is *folded*: a layer multiplies by W + (alpha / rank) B A once, instead of adding a second, thin product to its
output. So generation is as fast as the bare backbone, and a training step has thin products in its backward pass only
(``benchmarks/folded_lora.py`` measures it beside PEFT's own layers). Files are in PEFT's format:
``PeftModel.from_pretrained`` loads what :meth:`Adapter.save` writes.

Where weights are bfloat16, a step of training changes W + (alpha / rank) B A by less than its last bit, so gradients are taken
*beside* the weights: W x plus the thin product, as PEFT does it, with A and B in float32 in any case. So it is where activations
are computed again in the backward pass instead of kept (``checkpointing``). For generation the adapter is folded there too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig
from safetensors.torch import save_file
from torch.nn import functional
from torch.utils.checkpoint import checkpoint
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.pytorch_utils import Conv1D

from knexa.errors import ModelError
from knexa.learning.backbone import Backbone
from knexa.learning.merging import merged

#: alpha / rank: the paper has alpha = 4 x rank at rank 8.
ALPHA_OVER_RANK = 4


@dataclass(frozen=True, slots=True)
class _Layer:
    """One adapted weight. ``transposed``: stored as [in, out] (GPT-2's Conv1D) instead of [out, in]."""

    name: str
    module: Any
    transposed: bool

    @property
    def weight(self) -> torch.Tensor:
        weight: torch.Tensor = self.module.weight
        return weight

    @property
    def sizes(self) -> tuple[int, int]:
        """(in, out)."""
        rows, columns = self.weight.shape
        return (rows, columns) if self.transposed else (columns, rows)


class Adapter:
    """A and B of every linear layer inside the blocks of ``backbone``. ``share``: trainable over all parameters."""

    def __init__(self, backbone: Backbone, target_share: float, *, checkpointing: bool = False) -> None:
        """``checkpointing``: keep the activations of no block for the backward pass, and compute them once more there."""
        self._backbone = backbone
        self._layers = _linear_layers(backbone)
        per_rank = sum(sum(layer.sizes) for layer in self._layers)
        self.rank = max(1, round(target_share * backbone.parameters / (per_rank * (1.0 - target_share))))
        self.share = self.rank * per_rank / (backbone.parameters + self.rank * per_rank)
        device = backbone.device
        self._a = [torch.nn.Parameter(torch.zeros(self.rank, layer.sizes[0], device=device)) for layer in self._layers]
        self._b = [torch.nn.Parameter(torch.zeros(layer.sizes[1], self.rank, device=device)) for layer in self._layers]
        self._blocks = _checkpointed(backbone) if checkpointing else []
        self._beside = checkpointing or backbone.dtype is not torch.float32
        self._is_beside = False
        if self._beside:
            for layer, a, b in zip(self._layers, self._a, self._b, strict=True):
                layer.module.forward = partial(self._apply_beside, layer, a, b, layer.module.forward)
        self._folded_before: list[torch.Tensor] = []

    def reset(self, seed: int) -> None:
        """A drawn uniformly within 1/sqrt(in) from ``seed``, B zero: the model starts as the backbone itself."""
        random = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for a, b in zip(self._a, self._b, strict=True):
                bound = 1.0 / math.sqrt(a.shape[1])
                a.copy_(torch.empty(a.shape).uniform_(-bound, bound, generator=random))  # drawn on the CPU: the same for every device
                b.zero_()

    def parameters(self) -> list[torch.nn.Parameter]:
        return [*self._a, *self._b]

    def targets(self) -> list[str]:
        """Names of the adapted modules."""
        return [layer.name for layer in self._layers]

    def tensors(self) -> dict[str, torch.Tensor]:
        """The adapter by PEFT's names. Shares memory with the parameters."""
        named = {}
        for layer, a, b in zip(self._layers, self._a, self._b, strict=True):
            named[f"base_model.model.{layer.name}.lora_A.weight"] = a.detach()
            named[f"base_model.model.{layer.name}.lora_B.weight"] = b.detach()
        return named

    def load(self, tensors: dict[str, torch.Tensor]) -> None:
        """Copy values in. Raises ModelError if names or shapes are those of another adapter."""
        self._require_alike(tensors)
        for name, tensor in self.tensors().items():
            tensor.copy_(tensors[name])

    def merge(self, tensors: dict[str, torch.Tensor], alpha: float) -> None:
        """Move towards another adapter of the same backbone and rank, by ``alpha`` of the way (:func:`~knexa.learning.merging.merged`).

        Raises ModelError, and changes nothing, if names, shapes or values are not those of such an adapter.
        """
        own = self.tensors()
        self._require_alike(tensors)
        if not all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values()):
            raise ModelError("an adapter with numbers that are not finite was given")
        for layer in self._layers:
            a, b = (f"base_model.model.{layer.name}.lora_{factor}.weight" for factor in "AB")
            theirs = tensors[a].to(own[a]), tensors[b].to(own[b])  # on this device, in float32
            for name, tensor in zip((a, b), merged((own[a], own[b]), theirs, alpha), strict=True):
                own[name].copy_(tensor)

    def save(self, folder: Path) -> None:
        """Write ``adapter_config.json`` and ``adapter_model.safetensors``."""
        config = LoraConfig(
            task_type="CAUSAL_LM",
            r=self.rank,
            lora_alpha=ALPHA_OVER_RANK * self.rank,
            target_modules=self.targets(),
            fan_in_fan_out=any(layer.transposed for layer in self._layers),
            base_model_name_or_path=self._backbone.name,
            inference_mode=True,
        )
        folder.mkdir(parents=True, exist_ok=True)
        config.save_pretrained(str(folder))
        save_file({name: tensor.cpu().contiguous() for name, tensor in self.tensors().items()}, str(folder / "adapter_model.safetensors"))

    def __call__(self, **inputs: Any) -> Any:
        """The adapted model's output; gradients reach A and B and nothing else."""
        if self._beside:
            return self._forward_beside(inputs)
        with torch.no_grad():
            folded = self._folded()
        try:
            for layer, weight, a, b in zip(self._layers, folded, self._a, self._b, strict=True):
                layer.module.forward = partial(_apply, layer, weight, a, b)
            return self._backbone.model(**inputs)
        finally:
            for layer in self._layers:
                layer.module.__dict__.pop("forward", None)  # the class's own forward again

    def get_output_embeddings(self) -> Any:
        """The layer that makes logits, which has no adapter."""
        model: Any = self._backbone.model
        return model.get_output_embeddings()

    def _forward_beside(self, inputs: dict[str, Any]) -> Any:
        for block in self._blocks:
            block.training = True  # of the block alone, not of what is in it: nothing is dropped out
        self._is_beside = True
        try:
            return self._backbone.model(**inputs)
        finally:
            for block in self._blocks:
                block.training = False

    def _apply_beside(self, layer: _Layer, a: torch.Tensor, b: torch.Tensor, frozen: Any, x: torch.Tensor) -> torch.Tensor:
        output: torch.Tensor = frozen(x)
        if not self._is_beside:
            return output
        thin = functional.linear(functional.linear(x, a.to(x.dtype)), b.to(x.dtype))
        return output.add(thin, alpha=ALPHA_OVER_RANK)

    @contextmanager
    def folded_in(self) -> Iterator[Any]:
        """The backbone's model with the adapter folded into its weights, for reading only; the exact weights come back after."""
        originals = [layer.weight.data for layer in self._layers]
        self._is_beside = False
        with torch.no_grad():
            folded = self._folded()
        if self._backbone.device.type == "cuda":
            folded = self._in_place(folded)
        try:
            for layer, weight in zip(self._layers, folded, strict=True):
                layer.weight.data = weight
            yield self._backbone.model
        finally:
            for layer, original in zip(self._layers, originals, strict=True):
                layer.weight.data = original

    def _require_alike(self, tensors: dict[str, torch.Tensor]) -> None:
        if {name: t.shape for name, t in self.tensors().items()} != {name: t.shape for name, t in tensors.items()}:
            raise ModelError(f"an adapter for another backbone or rank than '{self._backbone.name}' at rank {self.rank} was given")

    def _folded(self) -> list[torch.Tensor]:
        """W + (alpha / rank) B A of each layer, added in float32, stored as W is."""
        return [
            torch.addmm(layer.weight.float(), *((a.T, b.T) if layer.transposed else (b, a)), alpha=ALPHA_OVER_RANK).to(layer.weight.dtype)
            for layer, a, b in zip(self._layers, self._a, self._b, strict=True)
        ]

    def _in_place(self, folded: list[torch.Tensor]) -> list[torch.Tensor]:
        """The same values at the same addresses every time, as recorded GPU work needs it."""
        if not self._folded_before:
            self._folded_before = folded
        for kept, new in zip(self._folded_before, folded, strict=True):
            kept.copy_(new)
        return self._folded_before


def _apply(layer: _Layer, weight: torch.Tensor, a: torch.Tensor, b: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    rows = weight.T if layer.transposed else weight
    output: torch.Tensor = _FoldedLinear.apply(x, a, b, rows, layer.module.bias)  # type: ignore[no-untyped-call]
    return output


class _FoldedLinear(torch.autograd.Function):
    """y = x W'^T + bias with W' = W + s B A already computed; differentiates x, A and B without ever forming dL/dW."""

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, a: torch.Tensor, b: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None
    ) -> torch.Tensor:
        """``x`` [..., in], ``a`` [rank, in], ``b`` [out, rank], ``weight`` = W' [out, in]; returns [..., out]."""
        ctx.save_for_backward(x, a, b, weight)
        return functional.linear(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """dA = s (g B)^T x and dB = s g^T (x A^T), where g = dL/dy: two thin products each."""
        x, a, b, weight = ctx.saved_tensors
        g, rows = gradients[0].flatten(0, -2), x.flatten(0, -2)
        da = (g @ b).mul_(ALPHA_OVER_RANK).T @ rows
        db = g.T @ (rows @ a.T).mul_(ALPHA_OVER_RANK)
        dx = (g @ weight).view_as(x) if ctx.needs_input_grad[0] else None
        return dx, da, db, None, None


def _checkpointed(backbone: Backbone) -> list[Any]:
    """The blocks of the model, set up to compute their activations anew in the backward pass."""
    blocks: list[Any] = [module for module in backbone.model.modules() if isinstance(module, GradientCheckpointingLayer)]
    if not blocks:
        raise ModelError(f"backbone '{backbone.name}' cannot recompute its activations; set model.checkpointing = false")
    for block in blocks:
        block.gradient_checkpointing, block._gradient_checkpointing_func = True, partial(checkpoint, use_reentrant=False)
    return blocks


def _linear_layers(backbone: Backbone) -> list[_Layer]:
    model: Any = backbone.model
    head = model.get_output_embeddings()
    found = []
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear | Conv1D) and module is not head:
            found.append(_Layer(name, module, transposed=isinstance(module, Conv1D)))
    if not found:
        raise ModelError(f"backbone '{backbone.name}' has no linear layer to attach LoRA to")
    return found
