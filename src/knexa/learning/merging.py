"""Protocol ``adapter``: a teacher's LoRA factors, merged into its student's.

The update of a weight is s B A with factors B [out, rank] and A [rank, in]. Averaging factors would be wrong, since equal updates have
many factors. The mixture (1 − α) B₁A₁ + α B₂A₂ has rank 2 · rank; its best approximation of the adapter's rank is its truncated
singular value decomposition (Eckart & Young 1936), taken without ever forming an [out, in] matrix.
"""

from __future__ import annotations

import torch

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
