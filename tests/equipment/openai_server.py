"""A server as vLLM is one, on PEFT's own layers: takes adapters at run time, completes prompts, tells log-probabilities."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import torch
from peft import PeftModel

from knexa.learning.backbone import load_backbone


class _Server(ThreadingHTTPServer):
    def __init__(self, backbone: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.backbone, self.adapters, self.asked = backbone, {}, []  # type: ignore[var-annotated]
        self.tokenizer = load_backbone(backbone, "cpu").tokenizer

    def load(self, name: str, path: str) -> None:
        self.adapters[name] = PeftModel.from_pretrained(load_backbone(self.backbone, "cpu").model, path).eval()

    @torch.inference_mode()
    def complete(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        choices: list[dict[str, Any]] = []
        for prompt in body["prompt"]:
            for _ in range(body["n"]):
                choices.append({"index": len(choices), **self._one(self.adapters[body["model"]], prompt, body)})
        return choices[::-1]  # in any order: each has its index

    def _one(self, model: Any, prompt: str, body: dict[str, Any]) -> dict[str, Any]:
        ids = self.tokenizer(prompt, add_special_tokens=False)["input_ids"]
        new: list[int] = []
        gains: list[float] = []
        while len(new) < body["max_tokens"]:
            log_p = torch.log_softmax(model(input_ids=torch.tensor([ids + new])).logits[0, -1].float(), -1)
            token = int(log_p.argmax())
            gains.append(float(log_p[token]))
            if token == self.tokenizer.eos_token_id:
                return {"text": self.tokenizer.decode(new), "finish_reason": "stop", "logprobs": {"token_logprobs": gains}}
            new.append(token)
            text = self.tokenizer.decode(new)
            ends = [at for at in (text.find(one) for one in body["stop"] or ()) if at >= 0]
            if ends:
                return {"text": text[: min(ends)], "finish_reason": "stop", "logprobs": {"token_logprobs": gains}}
        return {"text": self.tokenizer.decode(new), "finish_reason": "length", "logprobs": {"token_logprobs": gains}}


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server: Any = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server.asked.append((self.path, body))
        if self.path == "/v1/load_lora_adapter":
            server.load(body["lora_name"], body["lora_path"])
            self._say(200, b"Success: LoRA adapter added")
        elif self.path == "/v1/unload_lora_adapter":
            del server.adapters[body["lora_name"]]
            self._say(200, b"Success: LoRA adapter removed")
        elif self.path == "/v1/completions" and body["model"] in server.adapters:
            self._say(200, json.dumps({"choices": server.complete(body)}).encode())
        else:
            self._say(404, b'{"message": "The model does not exist."}')

    def _say(self, code: int, content: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        """Into no log: a test reads what was asked."""


@contextmanager
def openai_server(backbone: str) -> Iterator[tuple[str, Any]]:
    """Base address of a running server, and the server: ``adapters`` by name, ``asked``: every path and body."""
    server = _Server(backbone)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1", server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
