"""A learner: one backbone with one adapter at a time. Agents on the same backbone share it and swap adapters.

A :class:`Learner` holds no agent's history between calls: whoever uses it loads an agent's state first and takes the new
state afterwards. So a worker needs one copy of the frozen weights for each backbone, however many agents there are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from knexa.config import DistillationConfig, LocalConfig, ModelConfig
from knexa.errors import ModelError, PeerError
from knexa.learning.adapter import Adapter
from knexa.learning.attention import slots_fit
from knexa.learning.backbone import load_backbone
from knexa.learning.continuous import ContinuousBatching
from knexa.learning.cross_vocabulary import Vocabulary, blend, pack_told, tell, unpack_told
from knexa.learning.distillation import akd_step
from knexa.learning.encoding import Example, encode, endless_batches
from knexa.learning.endpoint import Endpoint
from knexa.learning.finetune import descend, evaluation_loss, example_losses, new_optimiser, train_step, warmed_up
from knexa.learning.generation import STOP_STRINGS, Completion, generate
from knexa.learning.private_sgd import private_step
from knexa.learning.soft_targets import pack, soft_targets, unpack
from knexa.randomness import derive_seed, stream

#: Texts that are read together where nothing is learned, and most numbers that a model may say of them at once (half a gigabyte).
MOST_TOGETHER = 64
MOST_LOGITS = 2**27

#: A text is a prompt and what follows it.
Text = tuple[str, str]

_T = TypeVar("_T")


class Learner:
    """``family``, ``share`` (trainable parameters over all) and ``rank`` describe the model; the methods work on the loaded agent."""

    def __init__(
        self,
        backbone: str,
        local: LocalConfig,
        model: ModelConfig | None = None,
        device: str = "auto",
        endpoint: Endpoint | None = None,
    ) -> None:
        """``device``: see :func:`knexa.learning.hardware.device_of`. ``endpoint``: who writes the answers; None = this process.

        Raises ModelError if the backbone cannot be loaded.
        """
        about = model or ModelConfig()
        loaded = load_backbone(backbone, device, about.dtype)
        self._adapter = Adapter(loaded, local.trainable_share, checkpointing=about.checkpointing)
        self._device, self._exact = loaded.device, loaded.dtype is torch.float32
        self.family, self.rank, self.share = loaded.family, self._adapter.rank, self._adapter.share
        self._tokenizer = loaded.tokenizer
        frozen: Any = loaded.model
        self._vocabulary = int(frozen.get_input_embeddings().weight.shape[0])
        self._optimiser = new_optimiser(self._adapter.parameters())
        self._steps = 0
        self._local = local
        self._longest = min(about.longest, loaded.context or about.longest)
        self._context = loaded.context
        self._together = max(1, min(MOST_TOGETHER, MOST_LOGITS // (self._longest * self._vocabulary)))
        continuous = loaded.device.type == "cuda" and slots_fit(frozen.config)
        self._decode = ContinuousBatching(frozen) if continuous else None
        self._endpoint = endpoint
        self._encoded: dict[Text, Example] = {}

    @property
    def context(self) -> int | None:
        """Most tokens of prompt and answer together; None where the architecture knows no bound."""
        return self._context

    # --- state

    def reset(self, seed: int) -> None:
        """A fresh adapter drawn from ``seed``, no optimiser history."""
        self._adapter.reset(seed)
        self._optimiser.state.clear()
        self._steps = 0

    def state(self) -> bytes:
        """Adapter, optimiser moments and step count as one safetensors blob. Equal histories give equal bytes."""
        tensors = {f"adapter.{name}": tensor.cpu().clone() for name, tensor in self._adapter.tensors().items()}
        for index, parameter in enumerate(self._adapter.parameters()):
            for key, value in self._optimiser.state.get(parameter, {}).items():
                tensors[f"optimiser.{key}.{index}"] = value.detach().cpu().clone()
        tensors["steps"] = torch.tensor(self._steps)
        return save(tensors)

    def load(self, blob: bytes) -> None:
        """Continue from what :meth:`state` returned."""
        tensors = load(blob)
        self._steps = int(tensors.pop("steps"))
        self._adapter.load({name.removeprefix("adapter."): t for name, t in tensors.items() if name.startswith("adapter.")})
        self._optimiser.state.clear()
        for index, parameter in enumerate(self._adapter.parameters()):
            if f"optimiser.step.{index}" in tensors:
                moments = {key: tensors[f"optimiser.{key}.{index}"].to(self._device) for key in ("exp_avg", "exp_avg_sq")}
                self._optimiser.state[parameter] = {"step": tensors[f"optimiser.step.{index}"], **moments}

    def save_adapter(self, folder: Path) -> None:
        """Write the adapter in PEFT's own format (``PeftModel.from_pretrained`` loads it)."""
        self._adapter.save(folder)

    # --- what else than texts a teacher may give

    def adapter_bytes(self) -> bytes:
        """The adapter as safetensors, in half precision: what protocol ``adapter`` sends."""
        return save({name: tensor.to("cpu", torch.float16) for name, tensor in self._adapter.tensors().items()})

    def merge(self, blob: bytes, alpha: float) -> None:
        """Merge in what :meth:`adapter_bytes` of a learner with the same backbone gave, ``alpha`` of the way; forgets moments.

        Raises PeerError, and changes nothing, if ``blob`` is nothing of that kind.
        """
        try:
            self._adapter.merge(load(blob), alpha)
        except (SafetensorError, ModelError) as error:
            raise PeerError(f"the teacher's adapter cannot be merged ({error}); nothing was learned from it") from error
        self._optimiser.state.clear()  # moments of factors that are no more

    def logits(self, texts: Sequence[Text], k: int) -> bytes:
        """The ``k`` most likely tokens at each token of ``texts``: what protocol ``logits`` sends."""
        with self._adapter.folded_in() as model:
            return pack(soft_targets(model, self._examples(texts), self._tokenizer.pad_token_id, k, self._device))

    # --- what a server may combine

    def adopt(self, blob: bytes) -> None:
        """Take over the adapter in ``blob`` (:meth:`adapter_bytes` of the same backbone, or a mean of some); forgets moments."""
        self._adapter.load({name: tensor.float() for name, tensor in load(blob).items()})
        self._optimiser.state.clear()

    def tell(self, texts: Sequence[Text], k: int) -> bytes:
        """The ``k`` likeliest strings at each token of the second halves of ``texts``: what any other tokenizer can be told."""
        examples = self._examples(texts)
        with self._adapter.folded_in() as model:
            targets = soft_targets(model, examples, self._tokenizer.pad_token_id, k, self._device)
        rows = zip(texts, examples, targets, strict=True)
        return pack_told([tell(self._strings, text, example, target) for (_, text), example, target in rows])

    def blend(self, texts: Sequence[Text], told: Sequence[bytes], k: int) -> bytes:
        """The mean of what several learners told of ``texts`` (:meth:`tell`), for this tokenizer, as :meth:`softened` reads it."""
        by_text = zip(*map(unpack_told, told), strict=True)
        rows = zip(texts, self._examples(texts), by_text, strict=True)
        return pack([blend(self._strings, text, example, some, k) for (_, text), example, some in rows])

    @cached_property
    def _strings(self) -> Vocabulary:
        return Vocabulary(self._tokenizer)

    # --- learning

    def private_update(
        self, texts: Sequence[Text], steps: int, planned_steps: int, rng: np.random.Generator, *, rate: float, clip: float, noise: float
    ) -> float:
        """:meth:`local_update` by DP-SGD (:func:`~knexa.learning.private_sgd.private_step`); each text takes part with chance ``rate``."""
        examples, total = self._examples(texts), 0.0
        given = {"rate": rate, "clip": clip, "noise": noise, "rng": rng, "pad": self._tokenizer.pad_token_id, "device": self._device}
        for _ in range(steps):
            total += private_step(self._adapter, self._adapter.parameters(), examples, **given)
            descend(self._optimiser, warmed_up(self._local.learning_rate, self._steps, round(self._local.warmup * planned_steps)))
            self._steps += 1
        return total / max(steps, 1)

    def local_update(self, texts: Sequence[Text], steps: int, planned_steps: int, seed: int) -> float:
        """``steps`` optimiser steps on private texts. ``planned_steps``: all local steps of the run, for the warm-up. Mean loss."""
        size, pad = self._local.batch_size, self._tokenizer.pad_token_id
        batches = endless_batches(self._examples(texts), size, pad, stream(seed), self._device)
        total = 0.0
        for _ in range(steps):
            total += train_step(self._adapter, batches, self._local.accumulate)
            descend(self._optimiser, warmed_up(self._local.learning_rate, self._steps, round(self._local.warmup * planned_steps)))
            self._steps += 1
        return total / max(steps, 1)

    def distil(
        self,
        local: Sequence[Text],
        taught: Sequence[Text],
        alpha: float,
        config: DistillationConfig,
        seed: int,
        *,
        logits: Mapping[Text, Example] | None = None,
    ) -> float:
        """``config.steps`` steps of Eq. 2. With nothing to distil (``taught`` empty) the same steps go to private data alone.

        ``logits``: of those taught texts that came with some, what :meth:`softened` made of them.
        """
        pad = self._tokenizer.pad_token_id
        own_size = config.own_batch_size if taught else config.own_batch_size + config.batch_size
        own = endless_batches(self._examples(local), own_size, pad, stream(derive_seed(seed, "own")), self._device)
        examples = [(logits or {}).get(text, example) for text, example in zip(taught, self._examples(taught), strict=True)]
        dealt = stream(derive_seed(seed, "taught"))
        other = endless_batches(examples, config.batch_size, pad, dealt, self._device) if taught else None
        total = 0.0
        for _ in range(config.steps):
            if other is None:
                total += train_step(self._adapter, own, self._local.accumulate)
            else:
                total += akd_step(self._adapter, own, other, alpha, self._local.accumulate, config.temperature)
            descend(self._optimiser, config.learning_rate)
        return total / max(config.steps, 1)

    def softened(self, texts: Sequence[Text], blob: bytes) -> dict[Text, Example]:
        """``texts`` with what :meth:`logits` of a learner with the same tokenizer said of them. Raises PeerError if it did not."""
        return dict(zip(texts, unpack(blob, self._examples(texts), self._vocabulary), strict=True))

    def loss(self, texts: Sequence[Text]) -> float:
        """Cross-entropy (nats a token) on the second halves of ``texts``."""
        return self._measured(evaluation_loss, texts)

    def losses(self, texts: Sequence[Text]) -> list[float]:
        """The same of each text by itself."""
        return self._measured(example_losses, texts)

    def _measured(self, measure: Callable[..., _T], texts: Sequence[Text]) -> _T:
        examples, pad = self._examples(texts), self._tokenizer.pad_token_id
        if not self._exact:  # what a few steps changed must not be lost in the rounding of folded weights: rewards are made of it
            return measure(self._adapter, examples, pad, self._together, self._device)
        with self._adapter.folded_in() as model:
            return measure(model, examples, pad, self._together, self._device)

    def cut(self, texts: Sequence[Text]) -> int:
        """How many of ``texts`` are longer than what is read of a text (see :func:`~knexa.learning.encoding.encode`)."""
        return sum(example.cut for example in self._examples(texts))

    def answer(
        self,
        prompts: Sequence[str],
        *,
        max_new_tokens: int,
        temperature: float = 0.0,
        samples: int = 1,
        seed: int = 0,
        stop: Sequence[str] = STOP_STRINGS,
    ) -> list[list[Completion]]:
        """``samples`` completions for each prompt; see :func:`knexa.learning.generation.generate`."""
        if self._endpoint is not None:
            return self._endpoint.complete(
                self._adapter.save,
                save({name: tensor.cpu() for name, tensor in self._adapter.tensors().items()}),
                prompts,
                max_new_tokens=max_new_tokens,
                temperature=temperature,
                samples=samples,
                seed=seed,
                stop=stop,
            )
        with self._adapter.folded_in() as model:
            return generate(
                model,
                self._tokenizer,
                prompts,
                max_new_tokens=max_new_tokens,
                temperature=temperature,
                samples=samples,
                seed=seed,
                stop=stop,
                context=self._context,
                decode=self._decode,
            )

    def _examples(self, texts: Sequence[Text]) -> list[Example]:
        for text in texts:
            if text not in self._encoded:
                self._encoded[text] = encode(self._tokenizer, *text, self._longest)
        return [self._encoded[text] for text in texts]


def use_threads(threads: int) -> None:
    """Set torch's threads for this process: equal numbers of threads give equal floating-point sums."""
    torch.set_num_threads(threads)
