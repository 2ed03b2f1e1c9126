"""Counts are those that can be known otherwise."""

import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from temperfill.config import to_json
from temperfill.presets import PRESETS
from tools.gpu.estimate import count, estimate

pytestmark = pytest.mark.slow


def test_products_bytes_and_operators_of_known_work() -> None:
    one, two = torch.rand(8, 16), torch.rand(16, 4)
    flops, traffic, operators = count(lambda: (one @ two).t())
    assert (flops, operators) == (2 * 8 * 16 * 4, 1)  # a view is no work
    assert traffic == 4 * (8 * 16 + 16 * 4 + 8 * 4)


def test_attention_is_counted_forward_and_backward() -> None:
    query, key = torch.rand(1, 2, 32, 16, requires_grad=True), torch.rand(1, 2, 64, 16)
    pairs = 2 * 32 * 64 * 16
    assert count(lambda: F.scaled_dot_product_attention(query, key, key))[0] == 2 * 2 * pairs
    both = count(lambda: F.scaled_dot_product_attention(query, key, key).sum().backward())[0]
    assert both == (2 + 5) * 2 * pairs  # it multiplies the scores once more


def test_a_step_of_a_tiny_network_is_estimated(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.json"

    recipe.write_text(json.dumps(to_json(PRESETS["tiny"])), encoding="utf-8")
    text = estimate(None, 64, recipe)
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line]
    figures = {row[0]: float(row[1].replace(",", "")) for row in rows if row[0].startswith(("generator", "the whole"))}
    assert figures["the whole step"] > figures["generator, forward and backward"] > 2 * figures["generator, forward"]
    assert sum(row[0] == "H100" for row in rows) == 3


def test_another_method_is_refused(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.json"
    recipe.write_text('{"method": "deepfillv2"}', encoding="utf-8")
    with pytest.raises(ValueError, match="is a run of deepfillv2"):
        estimate(None, 64, recipe)
