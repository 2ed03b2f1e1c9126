"""How often a report calls one of two equal methods better, by the number of trainings.

python benchmarks/verdicts.py --trials 400

Draws figures of two methods that differ by nothing but the chance of their trainings: each training shifts all pictures
by --seed-spread dB (standard deviation), each composite by --picture-spread. Counts verdicts of
temperfill.report.pairwise other than undecided; a 95 % interval that knew all would give 5 %. It takes
minutes on one core.
"""

import argparse

import numpy as np

from temperfill.report import Record, pairwise


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trainings", type=int, nargs="+", default=[2, 3, 5, 8])
    parser.add_argument("--trials", type=int, default=400)
    parser.add_argument("--pictures", type=int, default=100)
    parser.add_argument("--seed-spread", type=float, default=0.3)
    parser.add_argument("--picture-spread", type=float, default=0.5)
    arguments = parser.parse_args()
    rng = np.random.default_rng(1)
    print("| trainings | verdicts |")
    print("|---:|---:|")
    for trainings in arguments.trainings:
        found = [verdict(rng, trainings, arguments) != "undecided" for _ in range(arguments.trials)]
        print(f"| {trainings} | {100 * np.mean(found):.0f} % |", flush=True)


def verdict(rng: np.random.Generator, trainings: int, arguments: argparse.Namespace) -> str:
    pictures = rng.normal(25, 4, arguments.pictures)
    records = []
    for method in "ab":
        for seed in range(trainings):
            shift = rng.normal(0, arguments.seed_spread)
            values = pictures + shift + rng.normal(0, arguments.picture_spread, arguments.pictures)
            records += [
                Record(method, "photos", "masks", str(i), {"psnr": float(value)}, False, f"seed-{seed}")
                for i, value in enumerate(values)
            ]
    found = pairwise(records, "a", {"a": trainings, "b": trainings})["b"]["photos"]["psnr"]["verdict"]
    return str(found)


if __name__ == "__main__":
    main()
