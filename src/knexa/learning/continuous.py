"""Continuous batching: a fixed number of slots, and whoever has finished its answer leaves its slot to the next prompt.

On a GPU a small model spends its time on starting kernels, not in them. So one step of all slots (model, choice of the next token,
bookkeeping) is recorded once as a CUDA graph and then replayed; the host looks at what came out every few steps only. Each slot has
its own place in its own stretch of the cache, so nothing is padded, and when a row joins or leaves no memory moves. The numbers that
a sampled answer is drawn with belong to its prompt and sample, not to its slot: an answer does not depend on who shares the batch.

Without a GPU the same steps run unrecorded; tests compare them with :func:`knexa.learning.generation.generate` there.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import Cache, CacheLayerMixin

from knexa.learning.attention import one_token_attention
from knexa.learning.generation import CHECK_EVERY, Row, choose, has_ended
from knexa.learning.prefill import last_place, left_padded

#: Slots: more of them make a step slower by what the cache has to be read.
SLOTS = 256
#: Free slots are filled again when they are so large a share: a prefill costs as much as many steps.
REFILL = 1 / 8
#: Lengths are rounded up to multiples of this, so that one recorded step serves many calls.
ROUND = 64


class _Slots(CacheLayerMixin):  # type: ignore[misc]  # transformers has no types
    """Keys and values of one layer: [slots, heads, length, width], written at a place of its own for each slot."""

    def __init__(self, length: int, at: torch.Tensor) -> None:
        """``at`` [slots]: where the next token of each slot goes; shared by all layers, and moved on by the step."""
        super().__init__()
        self._length, self._at = length, at
        self._slots = torch.arange(len(at), device=at.device)

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        heads = key_states.shape[1]
        self.keys = key_states.new_zeros(len(self._at), heads, self._length, key_states.shape[-1])
        self.values = value_states.new_zeros(len(self._at), heads, self._length, value_states.shape[-1])
        self.is_initialized = True

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """One token a slot: ``key_states`` [slots, heads, 1, width]."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        self.keys[self._slots, :, self._at] = key_states[:, :, 0]
        self.values[self._slots, :, self._at] = value_states[:, :, 0]
        return self.keys, self.values

    def fill(self, slots: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, shift: torch.Tensor) -> None:
        """Rows [n, heads, width, d] that were padded on the left by ``shift`` [n], into ``slots`` [n] from place 0 on."""
        if not self.is_initialized:
            self.lazy_initialization(keys, values)
        width = keys.shape[2]
        places = (torch.arange(width, device=keys.device) + shift[:, None]).clamp_max(width - 1)[:, None, :, None]
        for kept, new in ((self.keys, keys), (self.values, values)):
            kept[slots, :, :width] = new.gather(2, places.expand(-1, new.shape[1], -1, new.shape[3]))

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self._length, 0

    def get_seq_length(self) -> int:
        return 0  # positions are given with every call

    def get_max_length(self) -> int:
        return self._length

    get_max_cache_shape = get_max_length


@dataclass(frozen=True, slots=True)
class _Request:
    """``number``: of the row among all; its drawn numbers are those of that row."""

    number: int
    row: Row
    prompt: list[int]


class SlotDecoder:
    """Decodes with ``model``, whose weights must stay where they are in memory; their values may change between calls."""

    def __init__(self, model: Any, pad: int, slots: int, length: int) -> None:
        """``length``: most tokens of a prompt and its answer."""
        device = model.device
        self.slots, self.length = slots, length
        self._model, self._pad, self._device = model, pad, device
        self._at = torch.zeros(slots, dtype=torch.int64, device=device)
        self._token = torch.zeros(slots, 1, dtype=torch.int64, device=device)
        self._step = torch.zeros(1, dtype=torch.int64, device=device)
        self._drawn = torch.zeros(CHECK_EVERY, slots, device=device)
        self._tokens = torch.zeros(CHECK_EVERY, slots, dtype=torch.int64, device=device)
        self._gains = torch.zeros(CHECK_EVERY, slots, device=device)
        layers = [_Slots(length, self._at) for _ in range(model.config.num_hidden_layers)]
        self._layers, self._cache = layers, Cache(layers=layers)
        self._graphs: dict[float, Any] = {}

    @torch.inference_mode()
    def decode(
        self,
        tokenizer: Any,
        prompts: Sequence[list[int]],
        max_new_tokens: int,
        temperature: float,
        samples: int,
        seed: int,
        stop: Sequence[str],
    ) -> list[Row]:
        """``samples`` rows for every prompt, prompt by prompt."""
        rows = [Row(prompt, sample, [], 0.0) for prompt in range(len(prompts)) for sample in range(samples)]
        drawn = torch.rand(len(rows), max_new_tokens, generator=torch.Generator().manual_seed(seed))
        # Long prompts first: a prefill is as wide as its longest one, and the last rows to end should be short.
        waiting = deque(sorted((_Request(n, row, prompts[row.prompt]) for n, row in enumerate(rows)), key=lambda one: -len(one.prompt)))
        held: list[_Request | None] = [None] * self.slots
        while waiting or any(held):
            free = [slot for slot, request in enumerate(held) if request is None]
            if waiting and len(free) >= REFILL * self.slots:
                for slot in free[: len(waiting)]:
                    held[slot] = waiting.popleft()
                self._prefill([(slot, held[slot]) for slot in free if held[slot] is not None], drawn, temperature)
            self._block(held, drawn, temperature)
            self._take(tokenizer, held, max_new_tokens, stop)
        return rows

    def _prefill(self, joining: Sequence[tuple[int, Any]], drawn: torch.Tensor, temperature: float) -> None:
        """Read the prompts of those who have just got a slot, and choose their first tokens. Samples of one prompt share its reading."""
        distinct = list({id(request.prompt): request.prompt for _, request in joining}.values())
        index = {id(prompt): place for place, prompt in enumerate(distinct)}
        which = torch.tensor([index[id(request.prompt)] for _, request in joining], device=self._device)
        slots = torch.tensor([slot for slot, _ in joining], device=self._device)
        ids, mask = (one.to(self._device) for one in left_padded(distinct, self._pad))
        positions = (mask.cumsum(1) - 1).clamp_min(0)
        read: Any = DynamicCache()
        last = last_place(self._device)
        output = self._model(
            input_ids=ids, attention_mask=mask, position_ids=positions, past_key_values=read, use_cache=True, logits_to_keep=last
        )
        shift = (mask == 0).sum(1)
        for layer, new in zip(self._layers, read.layers, strict=True):
            layer.fill(slots, new.keys[which], new.values[which], shift[which])
        first = torch.tensor([[float(drawn[request.number, 0])] for _, request in joining], device=self._device)
        token, gain = choose(output.logits[:, -1][which], temperature, first)
        self._token[slots] = token
        self._at[slots] = mask.sum(1)[which]
        for (_, request), next_token, gained in zip(joining, token.squeeze(1).tolist(), gain.tolist(), strict=True):
            request.row.add(next_token, gained)

    def _block(self, held: Sequence[_Request | None], drawn: torch.Tensor, temperature: float) -> None:
        """So many steps of all slots, without a look at what comes out."""
        numbers = torch.zeros(CHECK_EVERY, self.slots)
        for slot, request in enumerate(held):
            if request is not None:
                coming = drawn[request.number, len(request.row.tokens) : len(request.row.tokens) + CHECK_EVERY]
                numbers[: len(coming), slot] = coming
        self._drawn.copy_(numbers)
        self._step.zero_()
        step = self._recorded(temperature)
        for _ in range(CHECK_EVERY):
            step()

    def _take(self, tokenizer: Any, held: list[_Request | None], max_new_tokens: int, stop: Sequence[str]) -> None:
        """Write down what the steps gave; whoever has ended leaves."""
        tokens, gains = self._tokens.T.tolist(), self._gains.T.tolist()
        end = tokenizer.eos_token_id
        for slot, request in enumerate(held):
            if request is None:
                continue
            row = request.row
            if row.tokens[-1] != end:
                for token, gain in zip(tokens[slot], gains[slot], strict=True):
                    if len(row.tokens) == max_new_tokens:
                        break
                    row.add(token, gain)
                    if token == end:
                        break
            if len(row.tokens) == max_new_tokens or has_ended(row, end, tokenizer, stop):
                held[slot] = None

    def _recorded(self, temperature: float) -> Any:
        if self._device.type != "cuda":
            return lambda: self._one_step(temperature)
        if temperature not in self._graphs:
            kept = [one.clone() for one in (self._at, self._token, self._step)]
            aside: Any = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            aside.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(aside):
                for _ in range(2):  # what is made at the first use is not to be recorded
                    self._one_step(temperature)
            torch.cuda.current_stream().wait_stream(aside)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                self._one_step(temperature)
            # The steps that served to record it wrote beyond each slot's place only, where its own next tokens go.
            for one, before in zip((self._at, self._token, self._step), kept, strict=True):
                one.copy_(before)
            self._graphs[temperature] = graph
        return self._graphs[temperature].replay

    def _one_step(self, temperature: float) -> None:
        """Every slot writes its token, and chooses the next one. Touches nothing but memory that stays where it is."""
        mask = torch.arange(self.length, device=self._device) <= self._at[:, None]
        with one_token_attention(self._model):
            output = self._model(
                input_ids=self._token,
                attention_mask=mask[:, None, None],
                position_ids=self._at[:, None],
                past_key_values=self._cache,
                use_cache=True,
            )
        token, gain = choose(output.logits[:, -1], temperature, self._drawn.index_select(0, self._step).T)
        self._tokens.index_copy_(0, self._step, token.T)
        self._gains.index_copy_(0, self._step, gain[None])
        self._token.copy_(token)
        self._at.add_(1).clamp_(max=self.length - 1)  # whoever has ended goes on to write where nobody reads
        self._step.add_(1)


class ContinuousBatching:
    """A :data:`~knexa.learning.generation.Decode` for ``model`` that keeps its slots, and what is recorded of them, from call to call."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._slots: SlotDecoder | None = None

    def __call__(
        self,
        tokenizer: Any,
        prompts: Sequence[list[int]],
        max_new_tokens: int,
        temperature: float,
        samples: int,
        seed: int,
        stop: Sequence[str],
    ) -> list[Row]:
        """See :func:`~knexa.learning.generation.generate`."""
        slots = min(SLOTS, 8 * math.ceil(len(prompts) * samples / 8))
        length = ROUND * math.ceil((max(map(len, prompts), default=1) + max_new_tokens) / ROUND)
        if self._slots is None or not (slots <= self._slots.slots and length <= self._slots.length <= 4 * length):
            self._slots = None  # its memory is free before as much is asked for again
            self._slots = SlotDecoder(self._model, tokenizer.pad_token_id, slots, length)
        return self._slots.decode(tokenizer, prompts, max_new_tokens, temperature, samples, seed, stop)
