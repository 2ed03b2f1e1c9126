"""Trains a small edge network on the answers of a large one: how the bundled edge network is made.

python tools/distil_edges.py OUTPUT --pictures FOLDER ... --teacher WEIGHTS [--crops 1000] [--steps 4000]

The large network looks at square crops once; its five maps are kept in OUTPUT/targets at half precision. The small one
(84,477 parameters) then learns all five, and the running average of its weights is written to OUTPUT/edges.safetensors
every few minutes, beside the state that the same command goes on from. Without --teacher and --pictures it takes a few
steps towards an untrained network on the bundled photograph, which shows only that everything runs.
"""

import argparse
import copy
import json
import math
import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor

from temperfill import images, sketch
from temperfill.data import list_pictures
from temperfill.nets.pidinet import PiDiNet
from temperfill.runs.folder import load_state, save_state

ENLARGED = 0.25  # share of crops from pictures of twice the size: large photographs are softer from pixel to pixel
AVERAGE = 0.998  # of the running average of weights, per step
CALIBRATED = 100  # most crops that the calibration looks at
BALANCE = 1.1  # weight of what is no edge in the class-balanced loss (Su et al. 2021)


def options() -> argparse.Namespace:
    """Reads the command line; without pictures and teacher everything is small."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path, help="folder; the same command goes on with what it holds")
    parser.add_argument("--pictures", type=Path, nargs="+", help="folders of pictures")
    parser.add_argument("--teacher", type=Path, help="weights of the large network")
    parser.add_argument("--channels", type=int, default=20, help="of the small network: 20, 30 or 60")
    parser.add_argument("--crops", type=int, help="crops that the large network looks at")
    parser.add_argument("--crop-size", type=int, help="side of the crops, pixels, at most that of the pictures")
    parser.add_argument("--teacher-minutes", type=float, default=1e9, help="time for that; fewer crops where it ends")
    parser.add_argument("--steps", type=int, help="steps of training")
    parser.add_argument("--minutes", type=float, default=1e9, help="time for training in this call")
    parser.add_argument("--batch-size", type=int, default=2)
    parser.add_argument("--patch-size", type=int, help="side of the part of a crop that a step sees, a multiple of 8")
    parser.add_argument("--rate", type=float, default=2e-3, help="highest learning rate")
    parser.add_argument("--loss", choices=["plain", "balanced"], default="plain", help="cross-entropy, plain or not")
    parser.add_argument("--save-minutes", type=float, default=3, help="between saved states")
    parser.add_argument("--seed", type=int, default=0)
    found = parser.parse_args()
    small = found.pictures is None and found.teacher is None
    for name, few, many in (("crops", 4, 1000), ("crop_size", 64, 256), ("patch_size", 64, 128), ("steps", 3, 4000)):
        if getattr(found, name) is None:
            setattr(found, name, few if small else many)
    return found


def crop(paths: list[Path], number: int, size: int, seed: int) -> Tensor:
    """The crop of a number, a function of it and the seed alone: (3, size, size) bytes."""
    epoch, position = divmod(number, len(paths))
    order = np.random.default_rng([seed, 0, epoch]).permutation(len(paths))
    rng = np.random.default_rng([seed, 1, number])
    picture = images.read_rgb(paths[order[position]])
    height, width = picture.shape[:2]
    if rng.random() < ENLARGED:
        picture = np.asarray(Image.fromarray(picture).resize((2 * width, 2 * height), Image.Resampling.LANCZOS))
    elif min(height, width) < size:
        picture = images.resize_short_side(picture, size)
    top, left = (int(rng.integers(0, side - size + 1)) for side in picture.shape[:2])
    part = picture[top : top + size, left : left + size].transpose(2, 0, 1)
    return torch.from_numpy(np.ascontiguousarray(part))


@torch.inference_mode()
def write_targets(teacher: PiDiNet, paths: list[Path], found: argparse.Namespace) -> list[Path]:
    """Files of crops with the five maps of the large network; those that are there stay as they are."""
    folder = found.output / "targets"
    folder.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + 60 * found.teacher_minutes
    for number in range(found.crops):
        path = folder / f"{number:06d}.safetensors"
        if path.exists():
            continue
        if time.monotonic() > end and number >= found.batch_size:
            break
        image = crop(paths, number, found.crop_size, found.seed)
        maps = torch.sigmoid(teacher.logits(image[None].float() / 255))[0]
        save_file({"image": image, "maps": maps.half()}, path.with_suffix(".partial"))
        path.with_suffix(".partial").replace(path)
    written = sorted(folder.glob("*.safetensors"))[: found.crops]
    print(f"{len(written)} crops with targets", flush=True)
    return written


def batches(targets: list[Path], first_step: int, found: argparse.Namespace) -> Iterator[tuple[Tensor, Tensor]]:
    """Endless batches from a step on, each a function of the step: images (B, 3, S, S) and maps (B, 5, S, S)."""
    step, size = first_step, found.batch_size
    while True:
        pairs = []
        for number in range(step * size, (step + 1) * size):
            epoch, position = divmod(number, len(targets))
            order = np.random.default_rng([found.seed, 2, epoch]).permutation(len(targets))
            pair = load_file(targets[order[position]])
            rng = np.random.default_rng([found.seed, 3, number])
            # On the grid of the poolings, so that the part's maps are those of the whole but for its borders.
            top, left = 8 * rng.integers(0, (found.crop_size - found.patch_size) // 8 + 1, 2)
            flip, turn = rng.random(2)
            axes = ([2] if flip < 0.5 else []) + ([1] if turn < 0.1 else [])
            whole = torch.cat([pair["image"].float() / 255, pair["maps"].float()])
            pairs.append(whole[:, top : top + found.patch_size, left : left + found.patch_size].flip(axes))
        joined = torch.stack(pairs)
        yield joined[:, :3], joined[:, 3:]
        step += 1


def loss_of(logits: Tensor, maps: Tensor, kind: str) -> Tensor:
    """Cross-entropy of the five maps, mean over pixels; balanced: as if there were about as many edges as others."""
    if kind == "plain":
        return F.binary_cross_entropy_with_logits(logits, maps)
    share = maps.mean((2, 3), keepdim=True)
    weight = maps * (1 - share) + (1 - maps) * BALANCE * share
    return 2 * F.binary_cross_entropy_with_logits(logits, maps, weight)


def rate_at(step: int, found: argparse.Namespace) -> float:
    """Learning rate: up over 50 steps, even, and down to nothing over the last 40 % of steps."""
    up, down = (step + 1) / 50, (found.steps - step) / (0.4 * found.steps)
    return found.rate * min(1.0, up, down)


def train(targets: list[Path], found: argparse.Namespace) -> None:
    """Trains, or goes on, and writes weights and state every few minutes."""
    torch.manual_seed(found.seed)
    network = PiDiNet(found.channels).to(memory_format=torch.channels_last)
    averaged = copy.deepcopy(network)
    optimiser = torch.optim.Adam(network.parameters(), found.rate, betas=(0.9, 0.99))
    state_path, step = found.output / "state.pt", 0
    if state_path.exists():
        state = load_state(state_path)
        network.load_state_dict(state["networks"]["network"])
        averaged.load_state_dict(state["networks"]["averaged"])
        optimiser.load_state_dict(state["networks"]["optimiser"])
        step = state["progress"]["step"]
    start = saved = time.monotonic()
    losses: list[float] = []
    for image, maps in batches(targets, step, found):
        over = step >= found.steps or time.monotonic() > start + 60 * found.minutes
        if over or time.monotonic() > saved + 60 * found.save_minutes:
            save(found, network, averaged, optimiser, step, losses, targets if over else [])
            saved, losses = time.monotonic(), []
        if over:
            break
        for group in optimiser.param_groups:
            group["lr"] = rate_at(step, found)
        loss = loss_of(network.logits(image.contiguous(memory_format=torch.channels_last)), maps, found.loss)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        step += 1
        losses.append(loss.item())
        kept = min(AVERAGE, step / (step + 10))
        with torch.no_grad():
            for mean, weight in zip(averaged.parameters(), network.parameters(), strict=True):
                mean.lerp_(weight, 1 - kept)


@torch.inference_mode()
def calibrate(network: PiDiNet, targets: list[Path]) -> None:
    """Shifts the fused map so that as many pixels reach the threshold of sketches as in the maps of the large network.

    What a small network cannot see sharply it gives probabilities in the middle, and too few pixels would reach it.
    """
    logits, maps = [], []
    for path in targets[:CALIBRATED]:
        pair = load_file(path)
        logits.append(network.logits(pair["image"][None].float() / 255)[0, 4].flatten())
        maps.append(pair["maps"][4].flatten().float())
    share = (torch.cat(maps) >= sketch.THRESHOLD).float().mean().item()
    ranked = torch.cat(logits).sort(descending=True).values
    level = ranked[min(int(share * len(ranked)), len(ranked) - 1)].item()
    network.fusion.bias += math.log(sketch.THRESHOLD / (1 - sketch.THRESHOLD)) - level


def save(
    found: argparse.Namespace,
    network: PiDiNet,
    averaged: PiDiNet,
    optimiser: torch.optim.Optimizer,
    step: int,
    losses: list[float],
    targets: list[Path],
) -> None:
    """Writes weights, calibrated if there are targets, state, and a line of the log."""
    how = {
        "step": str(step),
        "steps": str(found.steps),
        "loss": found.loss,
        "teacher": found.teacher.stem if found.teacher else "none",
    }
    written = copy.deepcopy(averaged)
    if targets:
        calibrate(written, targets)
    sketch.save_network(found.output / "edges.safetensors", written, how)
    networks = {"network": network.state_dict(), "averaged": averaged.state_dict(), "optimiser": optimiser.state_dict()}
    save_state(found.output / "state.pt", {"networks": networks, "progress": {"step": step}})
    record = {"step": step, "loss": round(float(np.mean(losses)), 5) if losses else None, "rate": rate_at(step, found)}
    with (found.output / "log.jsonl").open("a", encoding="utf-8") as log:
        log.write(json.dumps(record) + "\n")
    print(record, flush=True)


def main() -> None:
    """Computes targets, then trains."""
    found = options()
    torch.set_flush_denormal(True)
    folders = found.pictures or [Path(str(files("temperfill") / "samples"))]
    paths = [path for folder in folders for path in list_pictures(folder)]
    torch.manual_seed(found.seed)
    teacher = sketch.load_network(found.teacher) if found.teacher else PiDiNet().eval().requires_grad_(False)
    train(write_targets(teacher, paths, found), found)


if __name__ == "__main__":
    main()
