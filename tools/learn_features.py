"""Trains the features of the perceptual loss on photographs alone: no labels, no weights of others.

    python tools/learn_features.py PHOTOS... --output features.safetensors [--minutes 12] [--threads 1]

The network is the beginning of VGG-19 at half its width (``temperfill.nets.vgg``), from random weights. It learns to
tell pieces of photographs apart (InfoNCE, van den Oord et al. 2018, arXiv 1807.03748; pieces as classes: Dosovitskiy
et al. 2014, arXiv 1406.6909). Of every piece there is a copy that is spoiled in one of the ways in which networks
fill badly: blurred, coarse, noisy, with a grid, greyed, doubled or bent. Two views of a piece, shifted, mirrored and
tinted, have to find each other among all others, the spoiled copies of the same piece included (as CONTRIQUE does for
quality, Madhusudana et al. 2021, arXiv 2110.13266). So the features know content and what spoils it.

At the end every channel is scaled to a mean activation of 1, as in the "normalised" VGG-19 of Gatys et al. (2016), so
that the distance weighs all channels equally.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn

from temperfill.data import list_pictures
from temperfill.images import read_rgb, resize_short_side

SHORT_SIDE = 256
PIECE, VIEW = 48, 40
"""Sides in pixels of a piece, and of the views of it that are compared."""
WIDTHS = (32, 32, 64, 64, 128)
INDICES = (0, 2, 5, 7, 10)
TAPS = (2, 7, 10)
TEMPERATURE = 0.15


class Learner(nn.Module):
    """The convolutions, and a head that is thrown away."""

    def __init__(self) -> None:
        super().__init__()
        widths = (3, *WIDTHS)
        self.convolutions = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in zip(widths, WIDTHS, strict=False))
        for convolution in self.convolutions:
            nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
            nn.init.zeros_(convolution.bias)
        pooled = 2 * sum(width for width, index in zip(WIDTHS, INDICES, strict=True) if index in TAPS)
        self.head = nn.Sequential(nn.BatchNorm1d(pooled), nn.Linear(pooled, 256), nn.ReLU(), nn.Linear(256, 128))

    def maps(self, image: Tensor) -> list[Tensor]:
        """(B, 3, H, W) in [0, 1] to the activations after each convolution."""
        x, found = 4 * (image - 0.5), []
        for index, convolution in zip(INDICES, self.convolutions, strict=True):
            x = F.relu(convolution(x))
            found.append(x)
            if index in (2, 7):
                x = F.max_pool2d(x, 2)
        return found

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) to unit vectors (B, 128), from the means and spreads of all given activations."""
        pooled = []
        for index, x in zip(INDICES, self.maps(image), strict=True):
            if index in TAPS:
                x = x.float()
                pooled += [x.mean((2, 3)), (x.var((2, 3)) + 1e-6).sqrt()]
        return F.normalize(self.head(torch.cat(pooled, 1)), dim=1)


def read_pictures(folders: list[Path]) -> list[NDArray[np.uint8]]:
    """(H, W, 3) each, with a short side of at most 256 pixels."""
    pictures = []
    for folder in folders:
        for path in list_pictures(folder):
            image = read_rgb(path)
            pictures.append(resize_short_side(image, min(SHORT_SIDE, *image.shape[:2])))
    return pictures


def draw_pieces(pictures: list[NDArray[np.uint8]], count: int, rng: np.random.Generator) -> Tensor:
    """(count, 3, 48, 48) in [0, 1]; of several places the one with most contrast, as plain sky tells nothing."""
    pieces = []
    for number in rng.integers(len(pictures), size=count):
        picture = pictures[number]
        tries = []
        for _ in range(2):
            top, left = (rng.integers(side - PIECE + 1) for side in picture.shape[:2])
            tries.append(picture[top : top + PIECE, left : left + PIECE])
        pieces.append(max(tries, key=lambda piece: float(piece.std())))
    return torch.from_numpy(np.stack(pieces)).permute(0, 3, 1, 2).float() / 255


def spoil(pieces: Tensor, rng: np.random.Generator) -> Tensor:
    """Every piece spoiled in one way, drawn at random, by a strength that is drawn too."""
    count, side = len(pieces), pieces.shape[-1]
    strength = torch.from_numpy(rng.random((count, 1, 1, 1), np.float32))
    noise = torch.from_numpy(rng.standard_normal((count, 3, side, side), np.float32))
    blurred = [_blur(pieces, sigma) for sigma in (0.8, 1.6, 3.2)]
    half, quarter = (F.avg_pool2d(pieces, n) for n in (2, 4))
    steps = torch.arange(side)
    grid = ((steps[:, None] % 4 == 0) | (steps[None] % 4 == 0)).float() - 0.4
    field = F.interpolate(torch.from_numpy(rng.standard_normal((count, 2, 7, 7), np.float32)), side, mode="bicubic")
    base = torch.stack(torch.meshgrid(*2 * [torch.linspace(-1, 1, side)], indexing="xy"), -1)
    bent = base + (0.04 + 0.08 * strength) * field.permute(0, 2, 3, 1)
    ways = [
        *blurred,
        F.interpolate(half, side, mode="bilinear"),
        F.interpolate(quarter, side, mode="bilinear"),
        F.interpolate(half, side, mode="nearest"),
        pieces + (0.03 + 0.12 * strength) * noise,
        pieces + (0.03 + 0.12 * strength) * grid,
        pieces.mean((2, 3), keepdim=True) + (0.3 + 0.4 * strength) * (pieces - pieces.mean((2, 3), keepdim=True)),
        pieces.mean(1, keepdim=True) + 0.5 * strength * (pieces - pieces.mean(1, keepdim=True)),
        (pieces + pieces.roll((3, 5), (2, 3))) / 2,
        F.grid_sample(pieces, bent, padding_mode="reflection", align_corners=True),
    ]
    chosen = torch.from_numpy(rng.integers(len(ways), size=count))
    return torch.stack(ways)[chosen, torch.arange(count)].clamp(0, 1)


def _blur(image: Tensor, sigma: float) -> Tensor:
    radius = round(2.5 * sigma)
    line = torch.exp(-torch.arange(-radius, radius + 1).float().square() / (2 * sigma**2))
    line = (line / line.sum()).expand(3, 1, 1, -1)
    image = F.conv2d(F.pad(image, (radius, radius, 0, 0), mode="reflect"), line, groups=3)
    return F.conv2d(F.pad(image, (0, 0, radius, radius), mode="reflect"), line.transpose(2, 3), groups=3)


def draw_views(pieces: Tensor, rng: np.random.Generator) -> Tensor:
    """(B, 3, 40, 40): shifted by up to 8 pixels, half of them mirrored, brightness and colours a little changed."""
    shifts = rng.integers(PIECE - VIEW + 1, size=(len(pieces), 2))
    views = torch.stack([p[:, y : y + VIEW, x : x + VIEW] for p, (y, x) in zip(pieces, shifts, strict=True)])
    mirrored = torch.from_numpy(rng.random(len(pieces)) < 0.5)
    views = torch.where(mirrored[:, None, None, None], views.flip(3), views)
    gain = torch.from_numpy(rng.normal(1, 0.1, (len(pieces), 3, 1, 1)).astype(np.float32))
    offset = torch.from_numpy(rng.normal(0, 0.06, (len(pieces), 1, 1, 1)).astype(np.float32))
    return (views * gain + offset).clamp(0, 1)


def info_nce(first: Tensor, second: Tensor) -> tuple[Tensor, float]:
    """Two (B, D) unit vectors, rows belong together: the loss, and the share of rows that find each other."""
    both = torch.cat([first, second])
    scores = (both @ both.T / TEMPERATURE).fill_diagonal_(-1e4)
    right = torch.arange(len(both)).roll(len(first))
    return F.cross_entropy(scores, right), float((scores.argmax(1) == right).float().mean())


def normalised(learner: Learner, images: Tensor) -> dict[str, Tensor]:
    """Its convolutions under torchvision's names, each channel scaled to a mean activation of 1 on ``images``."""
    tensors = {"preprocess.weight": 4 * torch.eye(3)[:, :, None, None], "preprocess.bias": torch.full((3,), -2.0)}
    with torch.no_grad():
        means = [x.mean((0, 2, 3)).clamp(min=1e-3) for x in learner.maps(images)]
    before = torch.ones(3)
    for index, convolution, mean in zip(INDICES, learner.convolutions, means, strict=True):
        weight, bias = convolution.weight.detach(), convolution.bias.detach()
        tensors[f"features.{index}.weight"] = weight * before[None, :, None, None] / mean[:, None, None, None]
        tensors[f"features.{index}.bias"] = bias / mean
        before = mean
    return {name: tensor.contiguous() for name, tensor in tensors.items()}


def learn(pictures: list[NDArray[np.uint8]], minutes: float, batch: int, rate: float, seed: int) -> Learner:
    """Trains until the time is over; the learning rate falls to nothing by a cosine of the time."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    learner = Learner().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(learner.parameters(), rate, weight_decay=1e-4)
    start, step, share = time.monotonic(), 0, 0.0
    while share < 1:
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1, (step + 1) / 20) * (0.01 + 0.99 * (1 + np.cos(np.pi * share)) / 2)
        pieces = draw_pieces(pictures, batch, rng)
        pieces = torch.cat([pieces, spoil(pieces, rng)])
        views = [draw_views(pieces, rng).contiguous(memory_format=torch.channels_last) for _ in range(2)]
        with torch.autocast("cpu", torch.bfloat16):
            vectors = learner(torch.cat(views)).float()
        loss, found = info_nce(*vectors.chunk(2))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step += 1
        share = (time.monotonic() - start) / (60 * minutes)
        if step % 20 == 0:
            print(f"step {step}  loss {loss.item():.3f}  found {found:.3f}  {60 * minutes * share:.0f} s", flush=True)
    return learner.eval()


def main() -> None:
    """Reads the options, trains and writes the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path, nargs="+")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=12)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    pictures = read_pictures(options.photos)
    print(f"{len(pictures)} pictures", flush=True)
    learner = learn(pictures, options.minutes, options.batch, options.rate, options.seed)
    images = draw_pieces(pictures, 256, np.random.default_rng(options.seed + 1))
    save_file(normalised(learner, images), options.output)


if __name__ == "__main__":
    main()
