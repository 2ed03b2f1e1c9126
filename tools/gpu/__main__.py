"""A short time on one GPU; see docs/train/gpu.md.

python -m tools.gpu prepare --train PHOTOS... --output inputs --mebibytes 40
python -m tools.gpu run --inputs inputs --output out --seconds 330 --limit 570
python -m tools.gpu run --inputs inputs --output out --before first --seconds 200 --limit 280 --parts train judge
python -m tools.gpu estimate
"""

import argparse
from pathlib import Path

from .options import Options


def main() -> None:
    """Runs the command that the words name."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.gpu", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    _add_prepare(commands.add_parser("prepare", help="make the inputs that travel to the GPU"))
    _add_run(commands.add_parser("run", help="check, test, train, evaluate and measure"))
    _add_estimate(commands.add_parser("estimate", help="count what a step costs, on the CPU"))
    words = vars(parser.parse_args())
    command = words.pop("command")
    if command == "run":
        from .session import run

        run(Options(**words | {"parts": tuple(words["parts"])}))
    elif command == "prepare":
        from .inputs import Sources, prepare

        several = ("train", "sketches", "val", "groups", "weights")
        chosen = {name: tuple(words.pop(name)) for name in several}
        sources = Sources(**chosen, masks=words.pop("masks"), limit=words.pop("limit"))
        made = prepare(sources, **words)
        print(f"{made['pictures']:.0f} of {made['of']:.0f} pictures, {made['mebibytes']:.1f} MiB in all")
    else:
        from .estimate import estimate

        print(estimate(**words))


def _add_prepare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--train", nargs="+", type=Path, required=True, help="folders of pictures or of shards")
    parser.add_argument("--sketches", nargs="+", type=Path, default=[], help="of these pictures, by temperfill sketch")
    parser.add_argument("--val", nargs="+", type=Path, default=[], help="folders of pictures to judge by")
    parser.add_argument("--masks", type=Path, help="of those, GROUP/KIND/STEM.png; without them masks are drawn")
    parser.add_argument("--groups", nargs="+", default=[], help="of masks")
    parser.add_argument("--limit", type=int, default=0, help="most pictures of each folder of --val; 0: all")
    parser.add_argument("--weights", nargs="+", type=Path, default=[], help="of VGG and SqueezeNet")
    parser.add_argument("--output", type=Path, required=True, help="new folder")
    parser.add_argument("--mebibytes", type=float, default=40.0, help="size of all inputs")
    parser.add_argument("--quality", type=int, default=80, help="of the WebP files")


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--inputs", type=Path, required=True, help="folder from prepare")
    parser.add_argument("--output", type=Path, required=True, help="folder for what is brought back")
    parser.add_argument("--seconds", type=float, required=True, help="of training")
    parser.add_argument("--limit", type=float, required=True, help="seconds of the whole session")
    parser.add_argument("--before", type=Path, help="output of an earlier session, to go on from")
    parser.add_argument("--total", type=float, default=0.0, help="seconds of all sessions' training; 0: those so far")
    parser.add_argument("--weights", type=Path, default=Options.weights, help="to begin from")
    parser.add_argument("--recipe", type=Path, default=Options.recipe, help="networks and losses")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cuda")
    parser.add_argument("--rate", type=float, default=Options.rate, help="highest learning rate")
    parser.add_argument("--batch-size", type=int, default=0, help="0: 16 to 64, by memory")
    parser.add_argument("--crop-size", type=int, default=0, help="pixels; 0: that of the pictures")
    parser.add_argument("--workers", type=int, default=Options.workers, help="processes that draw masks")
    parser.add_argument("--compile", choices=["auto", "no"], default="auto")
    parser.add_argument("--save-every", type=float, default=Options.save_every, help="seconds between saves")
    parser.add_argument("--parts", nargs="+", choices=Options.parts, default=list(Options.parts))


def _add_estimate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--vgg", type=Path, help="weights of the perceptual loss; without them it is not counted")
    parser.add_argument("--size", type=int, default=256, help="side of the pictures, pixels")
    parser.add_argument("--recipe", type=Path, default=Options.recipe)


if __name__ == "__main__":
    main()
