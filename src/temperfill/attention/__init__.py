"""Attention modules of one signature, ``(features, mask) -> features``; they need torch only.

``MHTMA`` is the paper's contribution, ``ATMA`` and ``ContextualAttention`` are what it is compared with. ``contract``
says what a module of another kind needs, and what it may declare besides.
"""

from temperfill.attention.atma import ATMA
from temperfill.attention.contextual import ContextualAttention
from temperfill.attention.contract import Attention, Tempered
from temperfill.attention.mhtma import MHTMA, fused_attention, reference_attention
from temperfill.attention.temperature import GivenTemperature, TemperatureNetwork

__all__ = [
    "ATMA",
    "MHTMA",
    "Attention",
    "ContextualAttention",
    "GivenTemperature",
    "TemperatureNetwork",
    "Tempered",
    "fused_attention",
    "reference_attention",
]
