"""Attention of one new token a row, which is what decoding is made of.

The kernels that PyTorch has are made for many tokens at once. For one, with a mask of one's own, those of the CPU take half of a step of a
model of 135 M parameters (``benchmarks/model_speed.py``), and those of a GPU copy the cache for every head that shares it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers import AttentionInterface, DynamicCache
from transformers.cache_utils import DynamicLayer

#: Architectures that take a mask and positions of one's own for every row, as this needs it, where no layer has a window.
FAMILIES = frozenset({"gpt2", "gpt_neox", "llama", "mistral", "qwen2", "qwen3"})
#: Name under which transformers finds :func:`attend`.
_ATTENTION = "knexa_slots"


def keeps_all(config: Any) -> bool:
    """Whether a model's cache holds the keys and values of every token, in every layer: no sliding window, no state in their place."""
    return all(type(layer) is DynamicLayer for layer in DynamicCache(config=config).layers)


def slots_fit(config: Any) -> bool:
    """Whether :func:`one_token_attention` says what the model's own attention says."""
    return config.model_type in FAMILIES and keeps_all(config)


def attend(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Attention of one new token a row: ``query`` [rows, heads, 1, d], ``key`` and ``value`` [rows, groups, length, d].

    Heads that share keys are multiplied together, so the cache is read once; the kernels that PyTorch has for a mask of one's own would
    copy it for every head first.
    """
    rows, heads, _, width = query.shape
    if key.device.type == "cpu" and key.dtype is not torch.float32:
        # oneDNN copies keys that are a part of a longer cache before it multiplies, and transposed ones number by number.
        key = key.contiguous()
    together = query.reshape(rows, key.shape[1], heads // key.shape[1], width)
    scores = together @ key.transpose(-1, -2) * (width**-0.5 if scaling is None else scaling)
    weights = scores.float().masked_fill(~attention_mask, -torch.inf).softmax(-1).to(value.dtype)
    return (weights @ value).reshape(rows, 1, heads, width), None


AttentionInterface.register(_ATTENTION, attend)


@contextmanager
def one_token_attention(model: Any) -> Iterator[None]:
    """``model`` attends by :func:`attend` meanwhile: every row has one new token, and the mask is given, bool [rows, 1, 1, length]."""
    usual, model.config._attn_implementation = model.config._attn_implementation, _ATTENTION
    try:
        yield
    finally:
        model.config._attn_implementation = usual
