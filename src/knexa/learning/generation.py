"""Batched generation: prompts sorted by length, padded on the left, finished rows leave the batch.

This is where a federation's time goes. Prompts of one batch share one prefill, samples of one prompt share its keys and
values, and a row leaves the batch as soon as it has ended, so late steps are small.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from knexa.learning.attention import FAMILIES, one_token_attention
from knexa.learning.encoding import beginning
from knexa.learning.prefill import positions, prefill

#: A body ends where the indentation ends; HumanEval's convention.
STOP_STRINGS = ("\ndef ", "\nclass ", "\n#", "\nif ", "\nprint", "\nassert", "\n@", '\n"""', "\nimport ", "\nfrom ")
#: Rows are checked for stop strings every so many tokens; what was generated past one is cut off afterwards.
CHECK_EVERY = 8

#: Rows of a batch of a large model, and how many keys and values a small one's may hold (256 MiB in float32).
FEWEST_ROWS = 128
MOST_CACHED = 2**26
#: A processor chooses tokens from so many logits at a time (2 MiB in float32): what it writes meanwhile stays in its caches.
CHOSEN_FROM = 2**19


@dataclass(frozen=True, slots=True)
class Completion:
    """``text`` without stop string; ``confidence``: mean log-probability (nats) of the chosen tokens under the model."""

    text: str
    confidence: float


@dataclass(slots=True)
class Row:
    """An answer in the making: the ``sample``-th to prompt number ``prompt``. ``log_probability``: of ``tokens``, in nats."""

    prompt: int
    sample: int
    tokens: list[int]
    log_probability: float

    def add(self, token: int, gain: float) -> None:
        self.tokens.append(token)
        self.log_probability += gain


#: Tokenizer, prompts as ids, most new tokens, temperature, samples, seed, stop strings; all rows, prompt by prompt.
Decode = Callable[[Any, Sequence[list[int]], int, float, int, int, Sequence[str]], list[Row]]


@torch.inference_mode()
def generate(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[str],
    *,
    max_new_tokens: int,
    temperature: float = 0.0,
    samples: int = 1,
    seed: int = 0,
    batch_rows: int | None = None,
    stop: Sequence[str] = STOP_STRINGS,
    context: int | None = None,
    decode: Decode | None = None,
) -> list[list[Completion]]:
    """``samples`` completions for every prompt, in the order of ``prompts``. Temperature 0 is greedy.

    An answer ends before the first of ``stop`` that it holds, or with the end-of-text token; without ``stop`` only with that.
    ``context``: most tokens of prompt and answer together that the model takes; of a prompt that is too long the beginning is left out.
    ``batch_rows``: answers that are written together; None = as many as their keys and values are small (:func:`rows_together`).
    ``decode``: another way than batches (:class:`knexa.learning.continuous.ContinuousBatching`).
    """
    first = beginning(tokenizer)
    encoded = [tokenizer(prompt, add_special_tokens=False)["input_ids"] for prompt in prompts]
    if context is not None:
        max_new_tokens = min(max_new_tokens, context - len(first) - 1)
        encoded = [ids[-(context - len(first) - max_new_tokens) :] for ids in encoded]
    encoded = [first + ids for ids in encoded]
    if decode is not None:
        rows = decode(tokenizer, encoded, max_new_tokens, temperature, samples, seed, stop)
        return [[completion(tokenizer, row, stop) for row in rows[at : at + samples]] for at in range(0, len(rows), samples)]
    order = sorted(range(len(prompts)), key=lambda index: (len(encoded[index]), index))
    longest = max(map(len, encoded), default=0) + max_new_tokens
    size = max(1, (batch_rows or rows_together(model.config, longest)) // samples)
    random = torch.Generator().manual_seed(seed)
    results: list[list[Completion]] = [[] for _ in prompts]
    for start in range(0, len(order), size):
        chosen = order[start : start + size]
        rows = _decode(model, tokenizer, [encoded[index] for index in chosen], max_new_tokens, temperature, samples, random, stop)
        for row in rows:
            results[chosen[row.prompt]].append(completion(tokenizer, row, stop))
    return results


def rows_together(config: Any, length: int) -> int:
    """How many rows of at most ``length`` tokens are decoded together: late steps, in which few are left, come once a batch.

    At least :data:`FEWEST_ROWS`, and up to four times as many while the cache stays within :data:`MOST_CACHED` numbers.
    """
    text = config.get_text_config(decoder=True)
    cached: int = 2 * text.num_hidden_layers * text.hidden_size * length  # with heads that share keys it is less
    return min(max(MOST_CACHED // max(cached, 1), FEWEST_ROWS), 4 * FEWEST_ROWS)


def _decode(
    model: Any,
    tokenizer: Any,
    prompts: list[list[int]],
    max_new_tokens: int,
    temperature: float,
    samples: int,
    random: torch.Generator,
    stop: Sequence[str],
) -> list[Row]:
    cache, mask, logits = prefill(model, prompts, tokenizer.pad_token_id, samples=samples, room=max_new_tokens)
    rows = [Row(prompt, sample, [], 0.0) for prompt in range(len(prompts)) for sample in range(samples)]
    alive, end = list(rows), tokenizer.eos_token_id
    for step in range(max_new_tokens):
        drawn = torch.rand(len(alive), 1, generator=random) if temperature else None
        token, gained = choose(logits, temperature, None if drawn is None else drawn.to(logits.device))
        for row, next_token, gain in zip(alive, token.squeeze(1).tolist(), gained.tolist(), strict=True):
            row.add(next_token, gain)
        if step + 1 == max_new_tokens:
            break
        looked_for = stop if step % CHECK_EVERY == CHECK_EVERY - 1 else ()
        going_on = [not has_ended(row, end, tokenizer, looked_for) for row in alive]
        if not any(going_on):
            break
        if not all(going_on):
            places = close_up(going_on)
            selected = torch.tensor(places, device=model.device)
            cache.batch_select_indices(selected)
            mask, token = mask[selected], token[selected]
            alive = [alive[index] for index in places]
        mask = torch.cat([mask, mask.new_ones(len(alive), 1)], dim=1)
        logits = _next_logits(model, token, mask, cache)
    return rows


def _next_logits(model: Any, token: torch.Tensor, mask: torch.Tensor, cache: Any) -> torch.Tensor:
    """[rows, vocabulary] after ``token`` [rows, 1]; ``mask`` [rows, length], 0 for padding."""
    step = {"input_ids": token, **positions(model, mask, last_only=True), "past_key_values": cache, "use_cache": True}
    if model.config.model_type in FAMILIES and not any(cache.is_sliding):
        with one_token_attention(model):
            output = model(attention_mask=mask[:, None, None].bool(), **step)
    else:
        output = model(attention_mask=mask, **step)
    logits: torch.Tensor = output.logits[:, -1]
    return logits


def choose(logits: torch.Tensor, temperature: float, drawn: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
    """The next token of each row [rows, 1] and its log-probability [rows] (nats) under the model, from ``logits`` [rows, vocabulary].

    Temperature 0 takes the likeliest; else ``drawn`` [rows, 1], uniform in [0, 1), is looked up in the cumulative probabilities:
    one number a row, where :func:`torch.multinomial` draws one for each token.
    """
    rows = max(CHOSEN_FROM // logits.shape[1], 1)
    if logits.device.type != "cpu" or len(logits) <= rows:
        return _choose(logits, temperature, drawn)
    parts = (slice(start, start + rows) for start in range(0, len(logits), rows))
    chosen = [_choose(logits[part], temperature, None if drawn is None else drawn[part]) for part in parts]
    tokens, gained = zip(*chosen, strict=True)
    return torch.cat(tokens), torch.cat(gained)


def _choose(logits: torch.Tensor, temperature: float, drawn: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
    log_probabilities = torch.log_softmax(logits.float(), dim=-1)
    if temperature == 0.0 or drawn is None:
        token = log_probabilities.argmax(dim=-1, keepdim=True)
    else:
        cumulative = torch.softmax(log_probabilities / temperature, dim=-1).cumsum(dim=-1)
        token = torch.searchsorted(cumulative, drawn * cumulative[:, -1:], right=True).clamp_max(cumulative.shape[1] - 1)
    return token, log_probabilities.gather(1, token).squeeze(1)


def close_up(going_on: Sequence[bool]) -> list[int]:
    """Which row comes to each place when some leave: all stay where they are but the last ones, which fill the gaps.

    So no more of the cache is moved than has become free.
    """
    staying = sum(going_on)
    last = [index for index in range(staying, len(going_on)) if going_on[index]]
    return [index if going_on[index] else last.pop() for index in range(staying)]


def has_ended(row: Row, end: int, tokenizer: Any, stop: Sequence[str]) -> bool:
    """Whether token ``end`` (end of text), or one of ``stop`` among its last tokens, ends it."""
    if row.tokens[-1] == end:
        return True
    if not stop:
        return False
    text = tokenizer.decode(row.tokens[-2 * CHECK_EVERY :])
    return any(one in text for one in stop)


def completion(tokenizer: Any, row: Row, stop: Sequence[str]) -> Completion:
    end = tokenizer.eos_token_id  # asked once: it takes a tokenizer longer than a comparison
    text = tokenizer.decode([token for token in row.tokens if token != end], skip_special_tokens=True)
    ends = [at for at in (text.find(one) for one in stop) if at >= 0]
    text = text[: min(ends) + 1] if ends else text
    return Completion(text, row.log_probability / len(row.tokens))
