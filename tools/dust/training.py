"""Trains both networks on candidates, and writes the weights file."""

import math
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import save
from torch import Tensor, nn

from temperfill.dust.candidates import FEATURES
from temperfill.dust.network import FORMAT, SHAPES, digest
from temperfill.files import atomic_write

Tensors = dict[str, np.ndarray]
Samples = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Views, figures and labels; the views may lie in a file."""
BATCH = 128
"""Candidates of one step: a third of them dust, a third clean, a third clean ones that were hard."""


def glance(figures: np.ndarray, labels: np.ndarray, steps: int = 6000, worth: float = -3.7) -> Tensors:
    """The network on figures alone; ``worth`` is its limit, log odds."""
    mean, deviation = figures.mean(0), figures.std(0) + 1e-6
    inputs, truth = torch.from_numpy((figures - mean) / deviation).float(), torch.from_numpy(labels).float()
    layers = [nn.Linear(FEATURES, 32), nn.Linear(32, 32), nn.Linear(32, 1)]
    network = nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2])
    optimizer = torch.optim.AdamW(network.parameters(), 3e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, steps)
    for _ in range(steps):
        some = torch.randint(0, len(inputs), (1024,))
        odds = network(inputs[some])[:, 0]
        loss = F.binary_cross_entropy_with_logits(odds, truth[some], pos_weight=torch.tensor(3.0))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    found: Tensors = {"worth": np.array([worth]), "glance.mean": mean, "glance.deviation": deviation}
    for number, layer in enumerate(layers, 1):
        found |= _dense(f"glance{number}", layer)
    return found


class Look(nn.Module):
    """The network on views, in PyTorch."""

    def __init__(self) -> None:
        super().__init__()
        widths = ((8, 16), (16, 32), (32, 32), (32, 48))
        self.convolutions = nn.ModuleList(nn.Conv2d(inner, outer, 3, padding=1) for inner, outer in widths)
        self.hidden, self.answer = nn.Linear(48 * 16 + FEATURES, 64), nn.Linear(64, 1)

    def load(self, tensors: Tensors) -> "Look":
        """Takes what ``tensors`` gives."""
        found = {name: torch.from_numpy(tensor.astype(np.float32)) for name, tensor in tensors.items()}
        with torch.no_grad():
            for number, convolution in enumerate(self.convolutions, 1):
                weight = found[f"look{number}.weight"].reshape(3, 3, convolution.in_channels, -1)
                convolution.weight.copy_(weight.permute(3, 2, 0, 1))
                convolution.bias.copy_(found[f"look{number}.bias"])
            weight = found["look5.weight"]
            maps = weight[: 48 * 16].reshape(16, 48, -1).transpose(0, 1).reshape(48 * 16, -1)
            self.hidden.weight.copy_(torch.cat([maps, weight[48 * 16 :]]).T)
            self.hidden.bias.copy_(found["look5.bias"])
            self.answer.weight.copy_(found["look6.weight"].T)
            self.answer.bias.copy_(found["look6.bias"])
        return self

    def forward(self, views: Tensor, figures: Tensor) -> Tensor:
        """(B, 8, 32, 32) in [-0.5, 0.5] and (B, FEATURES) to (B,)."""
        for number, convolution in enumerate(self.convolutions):
            views = torch.relu(convolution(views))
            views = views if number == 1 else F.max_pool2d(views, 2)
        return self.answer(torch.relu(self.hidden(torch.cat([views.flatten(1), figures], 1))))[:, 0]

    def tensors(self) -> Tensors:
        """As ``DustNetwork`` takes them: places before channels."""
        found: Tensors = {}
        for number, convolution in enumerate(self.convolutions, 1):
            weight = convolution.weight.detach().numpy()
            found[f"look{number}.weight"] = weight.transpose(2, 3, 1, 0).reshape(-1, weight.shape[0])
            found[f"look{number}.bias"] = convolution.bias.detach().numpy()
        found |= _dense("look5", self.hidden) | _dense("look6", self.answer)
        weight = found["look5.weight"]
        maps = weight[: 48 * 16].reshape(48, 16, -1).transpose(1, 0, 2).reshape(48 * 16, -1)
        return found | {"look5.weight": np.concatenate([maps, weight[48 * 16 :]])}


def look(samples: Samples, tensors: Tensors, minutes: float, rate: float = 2e-3) -> Tensors:
    """Trains the network on views from where it is; bf16, Adam with a cosine, for some minutes by the clock."""
    views, figures, labels = samples
    figures = ((figures - tensors["look.mean"]) / tensors["look.deviation"]).astype(np.float32)
    network, rng = Look().load(tensors).to(memory_format=torch.channels_last), np.random.default_rng(0)
    optimizer = torch.optim.AdamW(network.parameters(), rate, weight_decay=1e-2)
    dust, clean = np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)
    losses, start, step = np.ones(len(labels), np.float32), time.monotonic(), 0
    while (share := (time.monotonic() - start) / 60 / minutes) < 1:
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1, (step + 1) / 100) * (0.5 + 0.5 * math.cos(math.pi * share)) + 1e-5
        if step % 500 == 0:
            chances = np.cumsum(losses[clean] + 0.05)
        hard = clean[np.searchsorted(chances, rng.random(44) * chances[-1]).clip(max=len(clean) - 1)]
        some = np.concatenate([dust[rng.integers(len(dust), size=40)], clean[rng.integers(len(clean), size=44)], hard])
        # Hard ones come more often than they are, and weigh less in turn.
        weights = np.ones(BATCH, np.float32)
        weights[84:] = 0.3 + 0.5 / ((losses[hard] + 0.05) / (losses[clean].mean() + 0.05)).clip(0.3)
        inputs = torch.from_numpy(_turned(views[some], rng)).permute(0, 3, 1, 2).float() / 255 - 0.5
        inputs[:, :6] *= torch.from_numpy(rng.uniform(0.9, 1.1, (BATCH, 1, 1, 1)).astype(np.float32))
        with torch.autocast("cpu", torch.bfloat16):
            odds = network(inputs, torch.from_numpy(figures[some]))
        truth = torch.from_numpy(labels[some].astype(np.float32))
        each = F.binary_cross_entropy_with_logits(odds.float(), truth, reduction="none")
        optimizer.zero_grad(set_to_none=True)
        (each * torch.from_numpy(weights)).mean().backward()
        optimizer.step()
        losses[some] = 0.5 * losses[some] + 0.5 * each.detach().numpy().clip(0, 4)
        step += 1
        if step % 1000 == 0:
            print(f"{step} steps, mean loss {losses.mean():.4f}")  # of each candidate when it was last seen
    return tensors | network.tensors()


def write(path: Path, tensors: Tensors) -> None:
    """Writes the weights file, its matrices in half precision."""
    stored = {
        name: np.ascontiguousarray(tensor.astype(np.float16 if name.endswith(".weight") else np.float32))
        for name, tensor in tensors.items()
    }
    if {name: tensor.shape for name, tensor in stored.items()} != SHAPES:
        raise ValueError("the tensors do not fit the network")
    content = save(stored, {"format": FORMAT, "sha256": digest(stored)})
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, lambda file: file.write(content))


def _dense(name: str, layer: nn.Linear) -> Tensors:
    return {f"{name}.weight": layer.weight.detach().numpy().T, f"{name}.bias": layer.bias.detach().numpy()}


def _turned(views: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    turned = np.rot90(views, int(rng.integers(4)), (1, 2))
    return np.ascontiguousarray(turned[:, :, ::-1] if rng.random() < 0.5 else turned)
