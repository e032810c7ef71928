"""Generation by a server of one's own that speaks OpenAI's API and takes adapters at run time, as vLLM does.

    VLLM_ALLOW_RUNTIME_LORA_UPDATING=True vllm serve MODEL --enable-lora --max-lora-rank 64

The server has the frozen backbone. Before it is asked, it is told where the agent's adapter lies (PEFT's format, a folder that both can
read), under a name made of the adapter's content; so it never answers with another agent's, or yesterday's. It sees prompts of the transfer
set and of the agent's own validation data: it has to be run by whom they belong to.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from knexa.errors import ConfigurationError, ModelError
from knexa.learning.generation import Completion

#: OpenAI's API takes so many stop strings; the others are looked for in what comes back.
MOST_STOPS = 4
#: Prompts of one call, and how long it may take.
AT_ONCE = 64
TIMEOUT_S = 600.0


class Endpoint:
    """``url``: base of the API, such as ``http://127.0.0.1:8000/v1``.

    ``folder``: where adapters are written for the server to read; None = a temporary folder, which goes with this object.
    """

    def __init__(self, url: str, folder: str | None) -> None:
        """Raises ConfigurationError for what is no http(s) address."""
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            raise ConfigurationError(f"engine.endpoint: found {url!r}; allowed: an address such as http://127.0.0.1:8000/v1")
        self._url, self._loaded = url.rstrip("/"), ""
        self._temporary = TemporaryDirectory(prefix="knexa-adapters-") if folder is None else None
        self._folder = Path(self._temporary.name if self._temporary is not None else str(folder))

    def complete(
        self,
        save: Callable[[Path], None],
        adapter: bytes,
        prompts: Sequence[str],
        *,
        max_new_tokens: int,
        temperature: float,
        samples: int,
        seed: int,
        stop: Sequence[str],
    ) -> list[list[Completion]]:
        """``samples`` completions for every prompt, by the backbone with the adapter that ``save`` writes; ``adapter`` is its content.

        Raises ModelError if the server cannot be reached, refuses, or answers with something else.
        """
        name = self._load(save, adapter)
        asked = {"model": name, "max_tokens": max_new_tokens, "temperature": temperature, "n": samples, "seed": seed, "logprobs": 1}
        results: list[list[Completion]] = []
        for start in range(0, len(prompts), AT_ONCE):
            some = list(prompts[start : start + AT_ONCE])
            answer = self._post("completions", {**asked, "prompt": some, "stop": list(stop[:MOST_STOPS]) or None})
            try:
                choices = sorted(answer["choices"], key=lambda one: one["index"])
                found = [_completion(one, stop) for one in choices]
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise ModelError(f"{self._url}: answers with no list of completions and their log-probabilities ({error!r})") from error
            if len(found) != samples * len(some):
                raise ModelError(f"{self._url}: was asked for {samples * len(some)} completions and gave {len(found)}")
            results += [found[at : at + samples] for at in range(0, len(found), samples)]
        return results

    def _load(self, save: Callable[[Path], None], adapter: bytes) -> str:
        """The name under which the server has the adapter; the one before it is taken back."""
        name = f"knexa-{os.getpid()}-{hashlib.sha256(adapter).hexdigest()[:24]}"  # no worker takes back what another one uses
        if name != self._loaded:
            folder = self._folder / name
            save(folder)
            self._post("load_lora_adapter", {"lora_name": name, "lora_path": str(folder.absolute())})
            if self._loaded:
                self._post("unload_lora_adapter", {"lora_name": self._loaded})
                shutil.rmtree(self._folder / self._loaded)
            self._loaded = name
        return name

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        request = urllib.request.Request(f"{self._url}/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as reply:
                content = reply.read()
        except urllib.error.HTTPError as error:
            said = error.read(300).decode(errors="replace").strip()
            raise ModelError(f"{self._url}: refuses {path} ({error.code}: {said}); does it serve this backbone, with adapters?") from error
        except OSError as error:
            raise ModelError(f"{self._url}: cannot be reached ({error}); start the server, or leave engine.endpoint out") from error
        try:
            return json.loads(content) if content[:1] == b"{" else None
        except (ValueError, RecursionError) as error:
            raise ModelError(f"{self._url}: answers {path} with what is no JSON ({error})") from error


def _completion(choice: Any, stop: Sequence[str]) -> Completion:
    """As :func:`knexa.learning.generation.generate` cuts it: up to the line before a stop string, with its end of line."""
    text, gains = choice["text"], [gain for gain in choice["logprobs"]["token_logprobs"] if gain is not None]
    ends = [at for at in (text.find(one) for one in stop) if at >= 0]
    if ends:
        text = text[: min(ends) + 1]
    elif stop and choice.get("finish_reason") == "stop" and not text.endswith("\n"):
        text += "\n"  # the server ended there, and left the stop string out with it
    return Completion(text, sum(gains) / max(len(gains), 1))
