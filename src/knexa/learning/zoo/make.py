"""Makes the embedded fleet: four tiny bases and their tokenizers, from the corpus in ``corpus.py`` alone.

Run ``python -m knexa.learning.zoo.make [NAME …]``. Seeded; about ten minutes for all four on two cores. The bases are
weak generalists of clearly different strength: they know the language of the bank (preparations, finishes, three common
operations in each category) and none of the other operations.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    BloomConfig,
    BloomForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen2Tokenizer,
)

from knexa.learning.encoding import Example, encode, endless_batches
from knexa.learning.finetune import descend, new_optimiser, train_step, warmed_up
from knexa.learning.zoo.corpus import base_corpus
from knexa.randomness import derive_seed, stream

SEED = 7
LONGEST = 256
END = "<|end|>"


@dataclass(frozen=True, slots=True)
class Recipe:
    """``vocabulary``: tokens; ``steps`` of ``batch`` problems at a peak learning rate of ``rate``, linear decay."""

    vocabulary: int
    steps: int
    batch: int = 16
    rate: float = 2e-3


RECIPES = {
    "qwen2": Recipe(vocabulary=1024, steps=800),
    "gpt2": Recipe(vocabulary=896, steps=800),
    "bloom": Recipe(vocabulary=768, steps=700, rate=3e-3),
    "gpt-neox": Recipe(vocabulary=640, steps=700, rate=4e-3),
}


def architecture(name: str, vocabulary: int, end: int) -> Any:
    """The untrained model of one family, 0.5 to 4 M parameters, tied embeddings."""
    ends = {"bos_token_id": end, "eos_token_id": end, "pad_token_id": end, "tie_word_embeddings": True}
    if name == "qwen2":
        return Qwen2ForCausalLM(
            Qwen2Config(
                vocab_size=vocabulary, hidden_size=192, intermediate_size=448, num_hidden_layers=4, num_attention_heads=6,
                num_key_value_heads=3, max_position_embeddings=512, **ends,
            )
        )  # fmt: skip
    if name == "gpt2":
        return GPT2LMHeadModel(
            GPT2Config(
                vocab_size=vocabulary, n_embd=160, n_layer=4, n_head=4, n_positions=512,
                resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, **ends,
            )
        )  # fmt: skip
    if name == "bloom":
        return BloomForCausalLM(BloomConfig(vocab_size=vocabulary, hidden_size=144, n_layer=3, n_head=4, **ends))
    return GPTNeoXForCausalLM(
        GPTNeoXConfig(
            vocab_size=vocabulary, hidden_size=128, intermediate_size=512, num_hidden_layers=3, num_attention_heads=4,
            max_position_embeddings=512, rotary_pct=0.5, **ends,
        )
    )  # fmt: skip


def make_tokenizer(family: str, texts: list[str], vocabulary: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer: any text can be encoded, digits stay single tokens.

    transformers loads every tokenizer of a Qwen2 model with Qwen2's own normaliser and splitting, whatever the file says; so
    that family's is trained with them.
    """
    tokenizer = Tokenizer(models.BPE())
    if family == "qwen2":
        own = Qwen2Tokenizer().backend_tokenizer
        tokenizer.normalizer, tokenizer.pre_tokenizer = own.normalizer, own.pre_tokenizer
    else:
        digits = pre_tokenizers.Digits(individual_digits=True)
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, special_tokens=[END], initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END, pad_token=END, padding_side="left")


def make(name: str, folder: Path) -> None:
    """Train one base and write it in the format of transformers."""
    recipe = RECIPES[name]
    corpus = base_corpus(SEED)
    rng = stream(SEED, name)
    half = [corpus[index] for index in rng.permutation(len(corpus))[: len(corpus) // 2]]  # merges differ between bases
    tokenizer = make_tokenizer(name, [prompt + body for prompt, body in half], recipe.vocabulary)
    torch.manual_seed(derive_seed(SEED, name, "weights"))
    model = architecture(name, len(tokenizer), tokenizer.eos_token_id)
    model.train()
    # prompt and body are encoded apart, as in fine-tuning, but the prompt is learned too: a base models whole problems
    encoded = [encode(tokenizer, prompt, body, LONGEST) for prompt, body in corpus]
    examples = [Example(example.ids, prompt=0) for example in encoded]
    batches = endless_batches(examples, recipe.batch, tokenizer.pad_token_id, rng)
    optimiser = new_optimiser(list(model.parameters()))
    started = time.perf_counter()
    for step in range(recipe.steps):
        rate = warmed_up(recipe.rate, step, 50) * (1.0 - 0.95 * step / recipe.steps)
        loss = train_step(model, batches, accumulate=1)
        descend(optimiser, rate)
        if step % 100 == 99:
            print(f"{name}: step {step + 1}/{recipe.steps}, loss {loss:.3f}, {time.perf_counter() - started:.0f} s", flush=True)
    model.eval()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


if __name__ == "__main__":
    torch.set_num_threads(1)
    for chosen in sys.argv[1:] or RECIPES:
        make(chosen, Path(__file__).parent / chosen)
