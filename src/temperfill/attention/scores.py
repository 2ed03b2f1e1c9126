"""The score of the masked attention: one place for normalising, masking and scaling (paper, Eqs. 7-10)."""

import torch
from torch import Tensor

WEAKEST = -1000.0
"""A masked score at or below it, undivided, leaves masked keys no weight next to any other key."""

COLDEST = 2e-4
"""Least size of a temperature; colder ones act as it. The score of a known key is -1 / T at worst, and at 1e-4 it falls
to the usual lambda of -10,000, so that masked keys would take weight."""


def bounded(temperatures: Tensor) -> Tensor:
    """Temperatures of either sign, none of them nearer to zero than ``COLDEST``."""
    return torch.where(temperatures < 0, -1.0, 1.0).to(temperatures) * temperatures.abs().clamp(min=COLDEST)


def inverse_length(patches: Tensor) -> Tensor:
    """1 / L2 length along the last axis, which is kept.

    The constant under the root keeps the gradient finite at zero, where dividing by a clamped length would not.
    """
    return torch.rsqrt(torch.linalg.vecdot(patches, patches)[..., None] + 1e-8)


def normalise(patches: Tensor) -> Tensor:
    """Scales vectors along the last axis to unit L2 length; an all-zero patch stays zero."""
    return patches * inverse_length(patches)


def masked_constant(masked: Tensor, masked_score: float) -> Tensor:
    """What Eq. 9 adds to the score of each key: lambda where it is masked, 0 elsewhere.

    Where every key is masked it is 0 for all: a softmax ignores what all keys share, and lambda would only leave its
    rounding errors in the result and, times lambda / T^2, in the gradient of the temperature.

    Args:
        masked: (B, M), 1 = the key touches what must not be copied.
        masked_score: the constant lambda.

    Returns:
        (B, M).
    """
    return masked_score * (masked - masked.amin(-1, keepdim=True))


def attention_weights(
    queries: Tensor,
    keys: Tensor,
    masked: Tensor,
    temperatures: Tensor,
    masked_score: float = -10000.0,
    masked_score_scaled: bool = False,
) -> Tensor:
    """The weight of every key for every query, as the paper writes it.

    Args:
        queries: (B, heads, N, d), not normalised.
        keys: (B, heads, M, d), not normalised.
        masked: (B, M), 1 = masked.
        temperatures: (B, heads), positive.
        masked_score: the constant lambda of Eq. 9.
        masked_score_scaled: divide lambda by the temperature too.

    Returns:
        (B, heads, N, M); each row sums to 1.
    """
    similarity = normalise(queries) @ normalise(keys).transpose(-2, -1)  # Eq. 7
    return masked_softmax(similarity, masked, temperatures, masked_score, masked_score_scaled)


def masked_softmax(
    similarity: Tensor, masked: Tensor, temperatures: Tensor, masked_score: float, masked_score_scaled: bool
) -> Tensor:
    """The weights that belong to cosines (B, heads, N, M); other arguments and result as for ``attention_weights``."""
    temperatures = bounded(temperatures)[:, :, None, None]
    masked = masked.to(similarity.dtype)
    scores = similarity * (1 - masked[:, None, None, :]) / temperatures  # Eqs. 8, 9
    constant = masked_constant(masked, masked_score)[:, None, None, :]
    return torch.softmax(scores + (constant / temperatures if masked_score_scaled else constant), -1)  # Eq. 10


def score_factors(queries: Tensor, keys: Tensor, masked: Tensor, temperatures: Tensor) -> tuple[Tensor, Tensor]:
    """The same similarities as a plain product: what queries and keys are multiplied by before it.

    Args:
        queries: (B, heads, N, d), not normalised.
        keys: (B, heads, M, d), not normalised.
        masked: (B, M), 1 = masked.
        temperatures: (B, heads), positive.

    Returns:
        (B, heads, N, 1), which divides by length and temperature, and (B, heads, M, 1), which divides by length and
        is 0 for masked keys.
    """
    scale = 1 / bounded(temperatures)[:, :, None, None]
    return inverse_length(queries) * scale, inverse_length(keys) * (1 - masked[:, None, :, None].to(keys.dtype))


def weighty_keys(masked: Tensor, masked_score: float, masked_score_scaled: bool) -> Tensor:
    """The keys that have weight in any image of the batch; the others cost time and give nothing.

    The weight of a masked key underflows next to any other key, unless lambda is small or divided by the temperature.
    Where all keys of an image are masked, all have weight. It asks no value, so that it can be traced.

    Args:
        masked: (B, M), 1 = masked.
        masked_score: the constant lambda of Eq. 9.
        masked_score_scaled: whether lambda is divided by the temperature.

    Returns:
        (M,) bool.
    """
    known = masked < 0.5
    if masked_score_scaled or masked_score > WEAKEST:
        return torch.ones_like(known[0])
    return known.any(0) | ~known.any(1).all()
