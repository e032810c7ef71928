"""An embedded backbone as a GGUF file, unquantised, so that what was written and what is read can be compared to the bit."""

from __future__ import annotations

import json
from pathlib import Path

import gguf
from safetensors.torch import load_file


def write_gguf(folder: Path, file: Path) -> None:
    """``folder``: a Qwen2 model with a byte-level BPE tokenizer, as the embedded fleet has one."""
    about = json.loads((folder / "config.json").read_text())
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    writer = gguf.GGUFWriter(file, "qwen2")
    writer.add_block_count(about["num_hidden_layers"])
    writer.add_context_length(about["max_position_embeddings"])
    writer.add_embedding_length(about["hidden_size"])
    writer.add_feed_forward_length(about["intermediate_size"])
    writer.add_head_count(about["num_attention_heads"])
    writer.add_head_count_kv(about["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(about["rms_norm_eps"])
    writer.add_rope_freq_base(about.get("rope_theta") or about["rope_parameters"]["rope_theta"])
    vocabulary = tokenizer["model"]["vocab"] | {token["content"]: token["id"] for token in tokenizer["added_tokens"]}
    special = {token["id"] for token in tokenizer["added_tokens"]}
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(sorted(vocabulary, key=vocabulary.__getitem__))
    writer.add_token_types([gguf.TokenType.CONTROL if id in special else gguf.TokenType.NORMAL for id in range(len(vocabulary))])
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in tokenizer["model"]["merges"]])
    writer.add_eos_token_id(about["eos_token_id"])
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN2, about["num_hidden_layers"])
    for name, tensor in load_file(folder / "model.safetensors").items():
        known = names.get_name(name, try_suffixes=(".weight", ".bias"))
        assert known is not None, name
        writer.add_tensor(known, tensor.float().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
