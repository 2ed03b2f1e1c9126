"""Training of the methods of comparison: the same loop, resumed bit for bit, with the losses of their papers."""

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from temperfill import methods
from temperfill.config import DataConfig, MachineConfig, RunConfig
from temperfill.data import Batch
from temperfill.nets.generator import GeneratorOutput
from temperfill.runs.folder import load_state
from temperfill.systems.building import recipe_of
from temperfill.systems.deepfillv2 import losses as deepfillv2
from temperfill.systems.partialconv import losses as partialconv
from temperfill.systems.table import BASELINES, load_run, published
from temperfill.systems.wavefill import losses as wavefill
from temperfill.train import step as step_module
from temperfill.train import train
from temperfill.train.networks import Networks
from temperfill.weights_files import load_generator
from temperfill.weights_reading import read_metadata

TERMS = {
    "partialconv": {"refined", "perceptual", "style", "variation"},
    "deepfillv2": {"coarse", "refined", "discriminator", "adversarial"},
    "wavefill": {"low", "perceptual", "discriminator", "adversarial", "matching"},
    "atma": {"coarse", "refined", "discriminator", "adversarial"},
}


class Features(nn.Module):
    """Stands for VGG."""

    def forward(self, image: Tensor) -> list[Tensor]:
        return [image[:, :, ::2], image.square()]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Smooth colour ramps: something that a network can learn to continue."""
    folder, rng = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    y, x = np.mgrid[0:80, 0:80] / 79
    for i in range(6):
        a, b, c = rng.random((3, 3))
        pixels = (0.7 + 0.1 * (a + b * x[..., None] + c * y[..., None])) * 255
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{i}.png")
    return folder


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(step_module, "_load_vgg", lambda config: Features() if config.loss.VGG_WEIGHTS else None)
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def tiny(name: str, pictures: Path, **changes: Any) -> RunConfig:
    config: Any = published(name)
    if name == "wavefill":
        config = replace(config, loss=replace(config.loss, perceptual_depth="relu3_1", content_weight=0.0))
    if name != "partialconv":
        config = replace(config, discriminator=replace(config.discriminator, width=4))
    return replace(
        config,
        generator=replace(config.generator, width=4),
        data=DataConfig(train=(pictures,), resize=72, crop_size=72),
        machine=MachineConfig(device="cpu", workers=0, threads=1),
        num_steps=4,
        batch_size=2,
        log_every=1,
        save_every=100,
        sample_every=100,
        val_every=1,
        **changes,
    )


def log_of(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text(encoding="utf-8").splitlines()]


def same(one: Any, two: Any) -> bool:
    if isinstance(one, Tensor):
        return one.dtype == two.dtype and torch.equal(one, two)
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(same(v, two[k]) for k, v in one.items())
    if isinstance(one, list | tuple):
        return len(one) == len(two) and all(map(same, one, two))
    return bool(one == two)


def stop_after(steps: int) -> Any:
    calls: list[int] = []

    def score(_: nn.Module) -> dict[str, float]:
        calls.append(1)
        if len(calls) == steps:
            os.kill(os.getpid(), signal.SIGINT)
        return {"loss": 1.0 / len(calls)}

    return score


@pytest.mark.parametrize(
    ("name", "precision"),
    [*((name, "fp32") for name in BASELINES), *(pytest.param(n, "bf16", marks=pytest.mark.slow) for n in BASELINES)],
)
def test_two_and_two_steps_are_four(name: str, precision: Any, pictures: Path, tmp_path: Path) -> None:
    config = tiny(name, pictures, precision=precision)
    train(config, tmp_path / "whole", stop_after(0))
    with pytest.raises(KeyboardInterrupt):
        train(config, tmp_path / "parts", stop_after(2))
    score = stop_after(0)
    for _ in range(2):
        score(None)
    assert train(config, tmp_path / "parts", score).step == 4
    states = [load_state(tmp_path / run / "state.pt")["networks"] for run in ("whole", "parts")]
    assert same(*states)
    assert ("discriminator" in states[0]) == (name != "partialconv")
    timed = ("seconds", "images_per_second")
    logs = [[{k: v for k, v in x.items() if k not in timed} for x in log_of(tmp_path / r)] for r in ("whole", "parts")]
    assert logs[0] == logs[1]
    steps = [line for line in logs[0] if "validation" not in line]
    assert all(line.keys() >= TERMS[name] for line in steps)
    assert (tmp_path / "whole" / "samples" / "0000004.png").is_file()

    path = tmp_path / "whole" / "generator.safetensors"
    assert read_metadata(path)["method"] == name
    assert load_run(tmp_path / "whole" / "config.json") == config
    generator = load_generator(path)
    assert generator.config == config.generator
    assert same(dict(generator.state_dict()), states[0]["ema"])
    assert methods.load(path).name == name


@pytest.mark.parametrize(("name", "term"), [
    ("partialconv", "refined"), ("deepfillv2", "coarse"), pytest.param("wavefill", "low", marks=pytest.mark.slow),
])  # fmt: skip
def test_loss_falls(name: str, term: str, pictures: Path, tmp_path: Path) -> None:
    config: Any = tiny(name, pictures)
    config = replace(config, num_steps=20, learning_rate=3e-3, schedule="constant", val_every=100)
    train(config, tmp_path)
    records = log_of(tmp_path)
    first, last = (np.mean([record[term] for record in part]) for part in (records[:4], records[-4:]))
    assert last < 0.8 * first


def test_run_of_another_method_is_refused(pictures: Path, tmp_path: Path) -> None:
    train(replace(tiny("deepfillv2", pictures), num_steps=1), tmp_path)
    with pytest.raises(ValueError, match="method: 'deepfillv2' -> 'atma'"):
        train(tiny("atma", pictures), tmp_path)


def test_second_phase_of_partial_convolutions_keeps_the_statistics(pictures: Path, tmp_path: Path) -> None:
    config: Any = tiny("partialconv", pictures)
    train(config, tmp_path / "first")
    frozen = replace(config.generator, freeze_encoder_norm=True)
    train(replace(config, generator=frozen, init_path=tmp_path / "first"), tmp_path / "second")
    first, second = (load_state(tmp_path / run / "state.pt")["networks"] for run in ("first", "second"))
    for name, tensor in second["ema"].items():
        if name.startswith("encoder") and ".norm." in name:
            assert torch.equal(tensor, first["ema"][name]), name
    assert not torch.equal(second["ema"]["decoder.0.norm.running_mean"], first["ema"]["decoder.0.norm.running_mean"])


def test_the_discriminator_may_learn_faster(pictures: Path) -> None:
    from lightning_fabric import Fabric

    config: Any = replace(tiny("deepfillv2", pictures), discriminator_rate=4.0, schedule="linear", num_steps=8)
    networks = Networks(config)
    stepper = step_module.Stepper(config, networks, Fabric(accelerator="cpu", devices=1))
    batch = random_batch()
    for step, share in ((0, 1.0), (4, 1.0), (6, 0.5)):
        stepper(batch, step)
        rates = [o.param_groups[0]["lr"] for o in (networks.generator_optimizer, networks.discriminator_optimizer)]  # type: ignore[union-attr]
        assert rates == [pytest.approx(share * 1e-4), pytest.approx(share * 4e-4)]


def test_statistics_of_normalisation_are_averaged_and_spectral_vectors_taken_over(pictures: Path) -> None:
    for name, ending, averaged in (("atma", "running_mean", True), ("wavefill", "_u", False)):
        networks = Networks(tiny(name, pictures))
        networks.generator.train()(random_batch().image, random_batch().mask)
        start = {n: b.clone() for n, b in networks.ema.named_buffers()}
        networks.average(0.9)
        trained = dict(networks.generator.named_buffers())
        moved = [n for n in trained if n.endswith(ending) and not torch.equal(trained[n], start[n])]
        assert moved
        for buffer in moved:
            expected = torch.lerp(start[buffer], trained[buffer], 0.1) if averaged else trained[buffer]
            torch.testing.assert_close(dict(networks.ema.named_buffers())[buffer], expected)
        assert all(torch.equal(b, trained[n]) for n, b in networks.ema.named_buffers() if n.endswith("batches_tracked"))


@pytest.mark.parametrize(("name", "file", "flags"), [
    ("partialconv", "vgg16", "--loss.perceptual-weight 0 and --loss.style-weight 0"),
    ("wavefill", "vgg19-dcbb9e9d", "--loss.perceptual-weight 0 and --loss.content-weight 0"),
])  # fmt: skip
def test_missing_vgg_weights_say_what_to_get(name: str, file: str, flags: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    with pytest.raises(ValueError, match=rf"{file}.*set {flags}"):
        step_module._load_vgg(published(name))
    assert step_module._load_vgg(published("deepfillv2")) is None


def random_batch(size: int = 72) -> Batch:
    noise = torch.Generator().manual_seed(0)
    image, mask = torch.rand(2, 3, size, size, generator=noise), torch.zeros(2, 1, size, size)
    mask[0, :, 10:40, 20:50], mask[1, :, 30:, :30] = 1, 1
    return Batch(image, mask, torch.tensor([[20, 30], [60, 10]]), torch.full((2,), -1), torch.arange(2), image[:, :0])


def output_like(image: Tensor, seed: int = 1) -> GeneratorOutput:
    noise = torch.Generator().manual_seed(seed)
    coarse, refined = (torch.rand(image.shape, generator=noise) for _ in range(2))
    return GeneratorOutput(coarse, refined, image.new_zeros(2, 0))


def test_a_perfect_output_has_no_loss() -> None:
    batch = random_batch()
    perfect = GeneratorOutput(batch.image, batch.image, batch.image.new_zeros(2, 0))
    for name in BASELINES:
        config: Any = published(name)
        recipe = recipe_of(name)
        distances = None if recipe.distances is None else recipe.distances(config, Features())  # type: ignore[arg-type]
        assert (distances is None) == (not config.loss.VGG_WEIGHTS)
        terms = recipe.generator_terms(config, batch, perfect, distances)
        values = {term: value.item() for term, value in terms.items()}
        assert values.pop("variation", 1) > 0  # of the truth itself
        assert all(value == pytest.approx(0, abs=1e-6) for value in values.values()), name


def test_terms_of_partial_convolutions() -> None:
    config, batch = published("partialconv"), random_batch()
    output, seen = output_like(batch.image), []

    def distance(*images: Tensor) -> tuple[Tensor, Tensor]:
        seen.append(images)
        return torch.tensor(2.0), torch.tensor(3.0)

    terms = partialconv.generator_terms(config, batch, output, distance)  # type: ignore[arg-type]
    error = (output.refined - batch.image).abs()
    expected = (6 * error * batch.mask + error * (1 - batch.mask)).mean()
    torch.testing.assert_close(terms["refined"], expected)
    assert (terms["perceptual"].item(), terms["style"].item()) == (pytest.approx(0.1), pytest.approx(360))
    raw, composed, truth = seen[0]
    torch.testing.assert_close(terms["variation"], 0.1 * partialconv.total_variation(composed, batch.mask))
    assert torch.equal(raw, output.refined)
    assert torch.equal(composed, torch.where(batch.mask > 0, output.refined, batch.image))
    assert torch.equal(truth, batch.image)
    both = partialconv.Distances(Features())(raw, composed, truth)  # type: ignore[arg-type]
    single = [partialconv.Distances(Features())(x, x, truth) for x in (raw, composed)]  # type: ignore[arg-type]
    for i in range(2):
        torch.testing.assert_close(both[i], (single[0][i] + single[1][i]) / 2)


def test_terms_of_deepfillv2() -> None:
    config: Any = published("deepfillv2")
    batch, judged = random_batch(), []
    output = output_like(batch.image)

    def judge(image: Tensor, mask: Tensor) -> Tensor:
        judged.append((image, mask))
        return (image * mask).mean((1, 2, 3), keepdim=True).expand(-1, 2, 3, 3)

    terms = deepfillv2.generator_terms(config, batch, output, None)
    for name in ("coarse", "refined"):
        difference = (2 * getattr(output, name) - 1) - (2 * batch.image - 1)  # as the authors have it
        torch.testing.assert_close(terms[name], difference.abs().mean())
    fake = output.refined
    found = deepfillv2.discriminator_terms(config, judge, judge, batch, output, fake, 0)["discriminator"]  # type: ignore[arg-type]
    real_score, fake_score = ((x * batch.mask).mean((1, 2, 3)) for x in (batch.image, fake))
    torch.testing.assert_close(found, 0.5 * (1 - real_score).mean() + 0.5 * (1 + fake_score).mean())
    found = deepfillv2.adversarial_terms(config, judge, batch, output, fake)["adversarial"]  # type: ignore[arg-type]
    torch.testing.assert_close(found, -fake_score.mean())


def test_terms_of_wavefill() -> None:
    config: Any = published("wavefill")
    batch = random_batch()
    output = output_like(batch.image)
    low = 4 * torch.nn.functional.avg_pool2d(2 * (output.refined - batch.image), 4).abs()
    hole = torch.nn.functional.max_pool2d(batch.mask, 4).expand_as(low)
    means = [6 * x[m > 0].mean() + x[m == 0].mean() for x, m in zip(low, hole, strict=True)]
    terms = wavefill.generator_terms(config, batch, output, None)
    torch.testing.assert_close(terms["low"], 0.5 * torch.stack(means).mean(), atol=1e-4, rtol=1e-4)

    def judge(image: Tensor, centres: Tensor) -> list[list[Tensor]]:
        assert centres.shape == (4, 2)
        return [[image * i, image.square(), image.mean((1, 2, 3), keepdim=True) * i] for i in (1.0, 2.0, 3.0, 4.0)]

    real, fake = (x.mean((1, 2, 3)) for x in (batch.image, output.refined))
    found = wavefill.discriminator_terms(config, judge, judge, batch, output, output.refined, 0)["discriminator"]  # type: ignore[arg-type]
    parts = [(torch.relu(1 - real * i).mean() + torch.relu(1 + fake * i).mean()) / 2 for i in (1, 2, 3, 4)]
    torch.testing.assert_close(found, torch.stack(parts).sum())
    terms = wavefill.adversarial_terms(config, judge, batch, output, output.refined)  # type: ignore[arg-type]
    torch.testing.assert_close(terms["adversarial"], -(1 + 2 + 3 + 4) / 2 * fake.mean())
    difference = (output.refined - batch.image).abs().mean()
    squares = (output.refined.square() - batch.image.square()).abs().mean()
    torch.testing.assert_close(terms["matching"], 5 * ((1 + 2 + 3 + 4) / 2 * difference + 2 * squares))


def test_distances_of_wavefill_weigh_five_layers_and_the_fourth_as_content() -> None:
    class Five(nn.Module):
        def forward(self, image: Tensor) -> list[Tensor]:
            return [image * i for i in (1, 2, 4, 8, 16)]

    a, b = torch.rand(2, 3, 8, 8), torch.rand(2, 3, 8, 8)
    perceptual, content = wavefill.Distances(Five())(a, b)  # type: ignore[arg-type]
    torch.testing.assert_close(perceptual, (a - b).abs().mean() * (1 / 32 + 2 / 16 + 4 / 8 + 8 / 4 + 16))
    torch.testing.assert_close(content, (a - b).square().mean() * 64)
    assert wavefill.Distances(Features())(a, b)[1] == 0  # type: ignore[arg-type]
