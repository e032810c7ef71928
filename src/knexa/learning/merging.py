"""Protocol ``adapter``: a teacher's LoRA factors, merged into its student's; and FedAvg's mean of factors.

The update of a weight is s B A with factors B [out, rank] and A [rank, in]. Averaging factors would be wrong, since equal updates have
many factors. The mixture (1 − α) B₁A₁ + α B₂A₂ has rank 2 · rank; its best approximation of the adapter's rank is its truncated
singular value decomposition (Eckart & Young 1936), taken without ever forming an [out, in] matrix.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from safetensors.torch import load, save

Factors = tuple[torch.Tensor, torch.Tensor]


def merged(own: Factors, other: Factors, alpha: float) -> Factors:
    """Factors (A [rank, in], B [out, rank]) of the nearest update of that rank to (1 − ``alpha``) own + ``alpha`` other.

    A has orthonormal rows, so that a direction in which B is zero can still be learned.
    """
    rank = own[0].shape[0]
    wide = torch.cat([own[0], other[0]])
    tall = torch.cat([(1.0 - alpha) * own[1], alpha * other[1]], dim=1)
    left, upper = torch.linalg.qr(tall)
    right, lower = torch.linalg.qr(wide.T)
    u, s, vh = torch.linalg.svd(upper @ lower.T)
    return (vh[:rank] @ right.T).contiguous(), (left @ (u[:, :rank] * s[:rank])).contiguous()


def factor_mean(adapters: Sequence[bytes], weights: Sequence[float]) -> bytes:
    """Mean of A and mean of B, each by itself, of adapters as :meth:`~knexa.learning.learner.Learner.adapter_bytes` gives them.

    ``weights`` sum to 1. So does FedAvg on LoRA as published (FedIT, Zhang et al. 2023, arXiv 2305.05644), and its error is known: the
    product of the means is not the mean of the products. It is small where adapters share their A, as after a common start.
    """
    read = [load(blob) for blob in adapters]
    mean = {name: sum(weight * one[name].float() for weight, one in zip(weights, read, strict=True)) for name in read[0]}
    return save({name: torch.as_tensor(tensor).to(torch.float16) for name, tensor in mean.items()})
