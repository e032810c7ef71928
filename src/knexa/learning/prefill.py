"""Reading prompts into one cache of keys and values, with room in it for the answers.

Two things take the time of plain batches on a processor (``benchmarks/model_speed.py``): prompts padded to the longest of them all, and
a cache that is copied whole for every token that joins it. Here prompts of about one length are read together, a few at a time, and what
was read goes to its place in a cache that never moves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import Cache, DynamicLayer

from knexa.learning.attention import keeps_all

#: Most tokens of padding in prompts that are read together: about what it costs to start one more reading, in tokens.
PADDING = 96
#: Most tokens of prompts that are read together: beyond a processor's caches, more of them at once are slower.
TOGETHER = 2048


class RoomyLayer(DynamicLayer):  # type: ignore[misc]  # transformers has no types
    """Keys and values of one layer [rows, heads, length, width] as views of tensors that are longer: a token that joins moves no other."""

    def __init__(self, rows: int, length: int) -> None:
        """``length``: most tokens of a row, padding, prompt and answer together."""
        super().__init__()
        self._rows, self._most, self._length = rows, length, 0

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        self.dtype, self.device = key_states.dtype, key_states.device
        self._rooms = tuple(one.new_empty(self._rows, one.shape[1], self._most, one.shape[3]) for one in (key_states, value_states))
        self.is_initialized = True

    def fill(self, first: int, samples: int, width: int, read: DynamicLayer) -> None:
        """Prompts that were read together, each ``samples`` times from row ``first`` on, on the right of ``width`` tokens."""
        if not self.is_initialized:
            self.lazy_initialization(read.keys, read.values)
        rows = slice(first, first + samples * len(read.keys))
        gap = width - read.keys.shape[2]
        for room, new in zip(self._rooms, (read.keys, read.values), strict=True):
            room[rows, :, :gap] = 0  # nothing weighs it, but nothing times what memory happens to hold need not be nothing
            room[rows, :, gap:width] = new.repeat_interleave(samples, 0) if samples > 1 else new
        self._show(width)

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """New tokens of all rows, [rows, heads, tokens, width], behind what is there."""
        end = self._length + key_states.shape[2]
        for room, new in zip(self._rooms, (key_states, value_states), strict=True):
            room[:, :, self._length : end] = new
        self._show(end)
        return self.keys, self.values

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Only rows ``indices`` stay, in their order; whoever keeps its place is not moved."""
        if not self.is_initialized:
            return
        places = (indices != torch.arange(len(indices), device=indices.device)).nonzero().squeeze(1)
        for room in self._rooms:
            room[places, :, : self._length] = room[indices[places], :, : self._length]
        self._rooms = tuple(room[: len(indices)] for room in self._rooms)
        self._show(self._length)

    def _show(self, length: int) -> None:
        self._length = length
        self.keys, self.values = (room[:, :, :length] for room in self._rooms)


def prefill(
    model: Any, prompts: Sequence[list[int]], pad: int, *, samples: int = 1, room: int = 0
) -> tuple[Any, torch.Tensor, torch.Tensor]:
    """Cache, mask [rows, width] (0 for padding, on the left) and next logits [rows, vocabulary]; ``samples`` rows for every prompt.

    ``prompts``: token ids, those of about one length side by side. ``room``: for so many further tokens of every row. To be called, and
    the cache used, without gradients.
    """
    ids, mask = (one.to(model.device) for one in left_padded(prompts, pad))
    rows, width = mask.shape[0] * samples, mask.shape[1]
    if not keeps_all(model.config):
        output = _read(model, ids, mask, None)  # what a window keeps depends on where its row ends
        cache, logits = output.past_key_values, output.logits[:, -1]
        if samples > 1:
            cache.batch_repeat_interleave(samples)
        return cache, mask.repeat_interleave(samples, 0), logits.repeat_interleave(samples, 0)
    cache = Cache(layers=[RoomyLayer(rows, width + room) for _ in DynamicCache(config=model.config).layers])
    logits = []
    for start, end in alike([len(prompt) for prompt in prompts]):
        longest = max(max(len(prompt) for prompt in prompts[start:end]), 1)
        read = DynamicCache(config=model.config)
        output = _read(model, ids[start:end, -longest:], mask[start:end, -longest:], read)
        logits.append(output.logits[:, -1])
        for layer, new in zip(cache.layers, read.layers, strict=True):
            if new.is_initialized:  # an encoder's layers are counted too where a decoder is taken alone
                layer.fill(start * samples, samples, width, new)
    return cache, mask.repeat_interleave(samples, 0), torch.cat(logits).repeat_interleave(samples, 0)


def alike(lengths: Sequence[int]) -> Iterator[tuple[int, int]]:
    """(start, end) of neighbours to read together: at most :data:`PADDING` tokens of padding and :data:`TOGETHER` in all, or one alone."""
    start = 0
    while start < len(lengths):
        end, longest, tokens = start + 1, lengths[start], lengths[start]
        while end < len(lengths):
            longest, tokens = max(longest, lengths[end]), tokens + lengths[end]
            padded = longest * (end + 1 - start)
            if padded > TOGETHER or padded - tokens > PADDING:
                break
            end += 1
        yield start, end
        start = end


def _read(model: Any, ids: torch.Tensor, mask: torch.Tensor, cache: Any) -> Any:
    given = {} if cache is None else {"past_key_values": cache}
    last = last_place(ids.device)
    return model(input_ids=ids, attention_mask=mask, **positions(model, mask), **given, use_cache=True, logits_to_keep=last)


def last_place(device: torch.device) -> torch.Tensor:
    """For ``logits_to_keep``: logits of the last token only, as an index instead of a count.

    A count cuts a view out of the hidden states, and a product with a view takes PyTorch's batched path, which copies the head's weights
    once for every prompt: in bfloat16 eighty times as slow as the product itself.
    """
    return torch.tensor([-1], device=device)


def left_padded(prompts: Sequence[list[int]], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and mask, both [prompts, longest of them], padding on the left; at least one token wide."""
    width = max(max(len(prompt) for prompt in prompts), 1)
    ids = torch.full((len(prompts), width), pad, dtype=torch.int64)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        if prompt:
            ids[row, width - len(prompt) :] = torch.tensor(prompt)
            mask[row, width - len(prompt) :] = 1
    return ids, mask


def positions(model: Any, mask: torch.Tensor, *, last_only: bool = False) -> dict[str, torch.Tensor]:
    """Position ids that do not count padding. BLOOM has none: its ALiBi slopes read the mask."""
    if model.config.model_type == "bloom":
        return {}
    places = (mask.cumsum(1) - 1).clamp_min(0)
    return {"position_ids": places[:, -1:] if last_only else places}
