"""Any causal language model of transformers: tiny ones with random weights, from a folder as users have them."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from knexa.config import LocalConfig
from knexa.errors import ModelError
from knexa.evaluation.bank.splits import load_bank
from knexa.learning.backbone import load_backbone
from knexa.learning.encoding import collate
from knexa.learning.finetune import answer_logits, is_answer
from knexa.learning.learner import Learner
from knexa.participant.measure import texts_of

TEXTS = texts_of(load_bank().private[:24:3])
#: In the words of most architectures, and in those of a few older ones.
MODERN = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
}
SIZES: dict[str, dict[str, Any]] = {
    "llama": MODERN,
    "gemma2": MODERN | {"sliding_window": 16},  # windows in every other layer, logits with a soft cap
    "gemma3_text": MODERN | {"sliding_window": 16},
    "qwen3": MODERN,
    "phi3": MODERN,  # queries, keys and values of one layer
    "granite": MODERN | {"logits_scaling": 4.0},
    "cohere": MODERN,
    "mixtral": MODERN | {"num_local_experts": 2},
    "lfm2": MODERN | {"layer_types": ["conv", "full_attention"]},  # a state beside keys and values
    "falcon": {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4},
    "opt": {"hidden_size": 32, "ffn_dim": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "word_embed_proj_dim": 32},
    "gptj": {"n_embd": 32, "n_layer": 2, "n_head": 4, "rotary_dim": 8},
    "mpt": {"d_model": 32, "n_layers": 2, "n_heads": 4},
    "bart": {"d_model": 32, "decoder_layers": 2, "decoder_attention_heads": 4, "decoder_ffn_dim": 64},  # its decoder alone
}


def saved(architecture: str, folder: Path, **sizes: Any) -> str:
    """A folder with a model of random weights, large enough that its greatest logit is no chance, and a tokenizer."""
    tokenizer = load_backbone("embedded:qwen2").tokenizer
    ends = dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id"), tokenizer.eos_token_id)
    config = AutoConfig.for_model(architecture, vocab_size=len(tokenizer), **ends, **sizes)
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.mul_(4)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


@pytest.mark.parametrize("architecture", SIZES)
def test_an_architecture_learns_and_answers(architecture: str, tmp_path: Path) -> None:
    """Ten steps of LoRA lower its loss; a batch is answered as each prompt alone; a loss is that of the whole text's logits."""
    name = saved(architecture, tmp_path, **SIZES[architecture])
    learner = Learner(name, LocalConfig(learning_rate=1e-2, trainable_share=0.1), device="cpu")
    learner.reset(1)
    before = learner.loss(TEXTS)
    learner.local_update(TEXTS, 10, 10, seed=1)
    assert learner.loss(TEXTS) < before
    prompts = [prompt for prompt, _ in TEXTS]
    together = learner.answer(prompts, max_new_tokens=16, stop=())
    assert [few[0].text for few in together] == [learner.answer([one], max_new_tokens=16, stop=())[0][0].text for one in prompts]
    batch = collate(learner._examples(TEXTS), learner._tokenizer.pad_token_id)
    with torch.no_grad():
        whole = learner._adapter(input_ids=batch.ids, attention_mask=batch.mask, use_cache=False).logits[:, :-1]
        assert torch.allclose(answer_logits(learner._adapter, batch)[0], whole[is_answer(batch)].float(), atol=1e-4)


def test_an_architecture_without_keys_and_values_is_refused(tmp_path: Path) -> None:
    """Before its weights are loaded, not when it is first asked for an answer."""
    name = saved("mamba", tmp_path, hidden_size=32, num_hidden_layers=1)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"architecture mamba keeps no keys and values, which answers are generated with here"):
        load_backbone(name, "cpu")


def test_an_encoder_is_refused_unless_it_is_a_decoder(tmp_path: Path) -> None:
    """BERT passes for a causal model in transformers, and is one only if its configuration says so."""
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4}
    with pytest.raises(ModelError, match="architecture bert as it is configured tokens hear of later ones"):
        load_backbone(saved("bert", tmp_path / "encoder", **sizes), "cpu")
    assert load_backbone(saved("bert", tmp_path / "decoder", is_decoder=True, **sizes), "cpu").family == "bert"
