"""Uses the attention outside the generator: `python examples/attention_alone.py DIR`.

It copies without any training: each missing cell of a striped map is rebuilt from patches that match what is known
around it. The hole's own content takes no part.
"""

import sys
from pathlib import Path

import torch
from PIL import Image

from temperfill.attention import fused_attention
from temperfill.attention.patches import key_mask, roll, unroll_keys, unroll_queries

SIDE, PATCH, SCALE = 48, 7, 6


def main(folder: Path) -> None:
    """Writes stripes.png: the map with its hole, and the map after attention."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = torch.arange(SIDE, dtype=torch.float32)
    stripes = (((rows[:, None] + rows[None, :]) % 8) < 4).float()[None, None]
    mask = torch.zeros(1, 1, SIDE, SIDE)
    mask[:, :, 12:36, 22:26] = 1
    holed = torch.where(mask > 0, 0.5, stripes)

    features = holed * 2 - 1  # grey holes become 0 and do not add to the similarity
    queries = unroll_queries(features, PATCH)[:, None]
    keys = unroll_keys(features, PATCH, 1)[:, None]
    masked = key_mask(mask, PATCH, 1)
    values = fused_attention(queries, keys, keys, masked, torch.full((1, 1), 0.05))
    refined = roll(values[:, 0], (SIDE, SIDE), PATCH) / 2 + 0.5
    filled = torch.where(mask > 0, refined, stripes).clamp(0, 1)

    sheet = torch.cat([holed, torch.ones(1, 1, SIDE, 4), filled], 3)[0, 0]
    picture = Image.fromarray((sheet * 255).byte().numpy())
    size = picture.width * SCALE, picture.height * SCALE
    picture.resize(size, Image.Resampling.NEAREST).save(folder / "stripes.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
