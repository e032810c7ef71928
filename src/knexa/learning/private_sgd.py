"""DP-SGD (Abadi et al. 2016): the local update with each text's gradient clipped and noise added, so that no text tells on the adapter.

In each step every text takes part with the same probability, whoever else does (Poisson sampling, which the accountant assumes:
:class:`knexa.privacy.SubsampledGaussian`). Gradients are taken text by text: the folded adapter's backward pass knows nothing of samples.
The sum of clipped gradients and its noise are divided by the expected number of texts, which depends on nobody's data.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from knexa.learning.encoding import Example, collate
from knexa.learning.finetune import CausalLM, cross_entropy


def private_step(
    model: CausalLM,
    parameters: Sequence[torch.nn.Parameter],
    examples: Sequence[Example],
    *,
    rate: float,
    clip: float,
    noise: float,
    rng: np.random.Generator,
    pad: int,
    device: torch.device,
) -> float:
    """Leave a noisy gradient at ``parameters``; mean loss (nats a token) of the texts that took part, 0 if none did.

    ``rate``: probability that a text takes part. ``clip``: largest norm of one text's gradient. ``noise``: deviation of the noise over it.
    """
    drawn = [example for example, chance in zip(examples, rng.random(len(examples)), strict=True) if chance < rate]
    sums = [torch.zeros_like(parameter) for parameter in parameters]
    total = 0.0
    for example in drawn:
        loss = cross_entropy(model, collate([example], pad, device))
        gradients = torch.autograd.grad(loss, parameters)
        norm = float(torch.sqrt(sum((gradient.double().square().sum() for gradient in gradients), torch.zeros((), device=device))))
        for one, gradient in zip(sums, gradients, strict=True):
            one.add_(gradient, alpha=min(1.0, clip / max(norm, 1e-12)))
        total += float(loss.detach())
    expected = rate * len(examples)
    for parameter, one in zip(parameters, sums, strict=True):
        if noise:
            one.add_(torch.from_numpy(rng.normal(0.0, noise * clip, tuple(one.shape)).astype(np.float32)).to(device))
        parameter.grad = one / expected
    return total / max(len(drawn), 1)
