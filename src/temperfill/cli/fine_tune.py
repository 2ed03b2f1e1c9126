"""``temperfill fine-tune``: train a model further on your own pictures."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import Positional, arg

from temperfill.cli.parsing import parse, require, say
from temperfill.cli.train import compare_held_out, event_files
from temperfill.config import Overlap
from temperfill.options import DEFAULT_MODEL


@dataclass(frozen=True)
class FineTuneOptions:
    """Trains a model further on your pictures: a few hundred of the kind that it is to fill.

    The same command goes on where it stopped. For all other settings, use temperfill train.
    """

    pictures: Annotated[Positional[tuple[Path, ...]], arg(metavar="FOLDER [FOLDER ...]")]
    """Folders of pictures, searched recursively."""
    run_dir: Path
    """Folder of the run; the model is its generator.safetensors."""
    model: str = DEFAULT_MODEL
    """Where to start: name of a bundled model, a weights file, or the folder of a run."""
    sketches: tuple[Path, ...] = ()
    """Folders of sketches (temperfill sketch --short-side 256), one sketch for each picture: half of the samples then
    show lines. Without them the model learns nothing about lines."""
    vgg: Path | None = None
    """VGG-16 weights of torchvision (.pth) or VGG-19 weights (.safetensors) for the perceptual loss, which makes
    pictures sharper; without them it is left out."""
    val: tuple[Path, ...] = ()
    """Folders of other pictures; the model that is best on them is kept, and training ends when it stops improving."""
    overlap: Overlap = "refuse"
    """Pictures of val among those of training, when a run begins: refuse, allow (they are named), or unchecked, which
    does not look for them."""
    num_steps: int = 1000
    """Training steps."""
    batch_size: int = 4
    """Pictures in a step."""
    crop_size: int = 192
    """Side of the squares that the network sees; a multiple of 4, at most 256."""
    learning_rate: float = 1e-4
    """Adam's learning rate after the first hundred steps; it falls to 1 % of this."""
    seed: int = 0
    """Seed of order, crops, flips and masks."""
    max_minutes: float = 0.0
    """Stop and save after this many minutes of this start; 0 means no limit."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N."""
    workers: int = 1
    """Processes that load pictures."""
    compile: bool = False
    """Compile the networks with torch.compile: takes some minutes at the start, then steps are faster."""
    tensorboard: bool = False
    """Write the log for TensorBoard too, into the folder tensorboard of the run: tensorboard --logdir RUN_DIR."""
    debug: bool = False
    """Show the trace of an error."""


def run(words: list[str]) -> None:
    """Runs the command on the words after its name."""
    options = parse(FineTuneOptions, "fine-tune", words)
    config = configuration(options)
    if options.vgg is None:
        say("no --vgg given: training goes on without the perceptual loss")
    from temperfill import evaluate
    from temperfill.train import train

    compare_held_out(config, options.run_dir, options.overlap)
    with event_files(options.run_dir, options.tensorboard) as on_log:
        train(config, options.run_dir, evaluate.validation_score(config), on_log)
    weights = options.run_dir / "generator.safetensors"
    say(f"the model is {weights}; use it with temperfill inpaint --model {weights}")


def configuration(options: FineTuneOptions) -> Any:
    """The training run that the options ask for.

    The discriminator, which weights files do not hold, starts anew: for a tenth of the steps it learns alone.

    Raises:
        OSError: the model cannot be read.
        ValueError: unknown model, one of another method, or an option out of range.
    """
    from temperfill.config import DataConfig, MachineConfig, TrainConfig
    from temperfill.inpainter import choose_device, choose_precision
    from temperfill.methods.finding import find_weights
    from temperfill.presets import BASE, PRESETS
    from temperfill.weights_files import load_generator
    from temperfill.weights_reading import method_in

    path = find_weights(options.model)
    method = method_in(path)
    require(method == "ours", f"{path} holds a generator of the method {method}; only ours can be fine-tuned so far")
    generator = load_generator(path).config
    if options.sketches:
        generator = replace(generator, sketch=True)  # one that took none begins by ignoring them
    like = min(PRESETS.values(), key=lambda preset: abs(preset.generator.width - generator.width))
    is_half = choose_precision("auto", choose_device(options.device)) == "bf16"
    return TrainConfig(
        generator=generator,
        discriminator=like.discriminator,
        loss=replace(
            BASE.loss,
            perceptual_weight=0.0 if options.vgg is None else BASE.loss.perceptual_weight,
            texture_weight=0.0,
            adversarial_weight=0.02,
            adversarial_start=options.num_steps // 10,
        ),
        data=DataConfig(
            train=options.pictures, sketches=options.sketches, val=options.val, crop_size=options.crop_size
        ),
        machine=MachineConfig(
            device=options.device,
            workers=options.workers,
            compile=options.compile,
            max_minutes=options.max_minutes,
            perceptual_path=options.vgg,
        ),
        init_path=path,
        seed=options.seed,
        num_steps=options.num_steps,
        batch_size=options.batch_size,
        learning_rate=options.learning_rate,
        schedule="cosine",
        warmup_steps=min(100, options.num_steps // 10),
        precision="bf16" if is_half and options.crop_size > 32 else "fp32",
        ema_decay=0.995,  # the average of a short run must forget where it started
        save_every=100,
        sample_every=200,
        val_every=100 if options.val else 0,
    )
