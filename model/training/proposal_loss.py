"""Losses of DeepMask and SharpMask: soft margins of masks and of scores."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def proposal_mask_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the mask loss: log(1 + exp(-target x logit)), its mean over pixels, its sum over the batch.

    logits: [B, h, w] float; targets: [B, h, w] of -1 and 1, at the logits' own resolution.
    """
    return F.softplus(-targets * logits).mean((-1, -2)).sum()


def proposal_score_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the score loss: log(1 + exp(-label x logit)), its mean over the batch.

    logits: [B] float; labels: [B] of -1 and 1.
    """
    return F.softplus(-labels * logits).mean()
