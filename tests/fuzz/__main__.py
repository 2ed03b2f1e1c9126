"""Reads mutated files, and tells every one that was not answered as documented.

python -m tests.fuzz --pictures 10000 --weights 1000 --states 500 --configs 500 --output fuzz.json
python -m tests.fuzz --seconds 3600 --seed 7    # as many as the time allows, half of them pictures

Run from the root of the checkout. Cases are numbered and follow from --seed, so that one can be repeated alone
(--only KIND NUMBER). They run in a process of their own, which is replaced when it crashes, or when a case takes longer
than --limit seconds. The exit status is 1 if anything but a result, ValueError or OSError came of a case, or a damaged
file of weights or state gave other content than the undamaged one.
"""

import argparse
import collections
import json
import math
import selectors
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.fuzz.cases import KINDS, run_case

SHARES = dict(zip(KINDS, (0.5, 0.2, 0.2, 0.1), strict=True))
"""Of a given time for each kind."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for kind in KINDS:
        parser.add_argument(f"--{kind}", type=int, default=0, help="number of cases")
    parser.add_argument("--seconds", type=float, default=0.0, help="instead of numbers: the time for all kinds")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=float, default=5.0, help="seconds that a case may take")
    parser.add_argument("--memory", type=float, default=8.0, help="GiB of address space of the process with the cases")
    parser.add_argument("--output", help="JSON file")
    parser.add_argument("--only", nargs=2, metavar=("KIND", "NUMBER"), help="run one case here, with its trace")
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        kind, number = arguments.only
        print(run_case(kind, arguments.seed, int(number)))
    elif arguments.worker:
        work(arguments, *arguments.worker)
    else:
        sys.exit(watch(arguments))


def work(arguments: argparse.Namespace, kind: str, start: str, stop: str) -> None:
    """Runs cases one by one; a line before and a line after each."""
    import resource

    limit = int(arguments.memory * 2**30)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    run_case(kind, arguments.seed, int(start), dry=True)  # imports, which the first case shall not be blamed for
    for number in range(int(start), int(stop)):
        print(json.dumps({"begun": number}), flush=True)
        try:
            outcome = run_case(kind, arguments.seed, number)
        except BaseException as error:  # to be reported, whatever it is
            outcome = f"bad: {type(error).__name__}: {error}"[:300]
        print(json.dumps({"done": number, "outcome": outcome}), flush=True)


def watch(arguments: argparse.Namespace) -> int:
    report: dict[str, Any] = {"command": sys.argv, "seed": arguments.seed, "kinds": {}}
    failures: list[dict[str, Any]] = []
    for kind, share in SHARES.items():
        count = sys.maxsize if arguments.seconds else getattr(arguments, kind)
        time_left = arguments.seconds * share or math.inf
        outcomes: collections.Counter[str] = collections.Counter()
        slowest, at = 0.0, 0
        began = time.monotonic()
        while at < count and time.monotonic() < began + time_left:
            for number, outcome, seconds in cases(arguments, kind, at, count):
                at = number + 1
                slowest = max(slowest, seconds)
                outcomes[outcome.split(":")[0]] += 1
                if outcome.startswith("bad"):
                    failures.append({"kind": kind, "number": number, "outcome": outcome})
                    if len(failures) <= 20:
                        print(f"{kind} {number}: {outcome}", file=sys.stderr)
                if time.monotonic() > began + time_left:
                    count = at
                    break
        if count:
            seconds = round(time.monotonic() - began, 1)
            report["kinds"][kind] = {
                "cases": count,
                "outcomes": dict(outcomes),
                "slowest": round(slowest, 3),
                "seconds": seconds,
            }
            print(f"{kind}: {count} cases in {seconds} s, slowest {slowest:.3f} s, {dict(outcomes)}")
    report["failures"] = failures
    if arguments.output:
        Path(arguments.output).write_text(json.dumps(report, indent=1), encoding="utf-8")
    print(f"{len(failures)} failures")
    return 1 if failures else 0


def cases(arguments: argparse.Namespace, kind: str, start: int, stop: int) -> Any:
    """Yields number, outcome and seconds of each case, up to the last or to one that ends the process."""
    command = [sys.executable, "-m", "tests.fuzz", "--seed", str(arguments.seed), "--memory", str(arguments.memory)]
    child = subprocess.Popen(
        [*command, "--worker", kind, str(start), str(stop)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert child.stdout is not None
    selector = selectors.DefaultSelector()
    selector.register(child.stdout, selectors.EVENT_READ)
    number, began, wait = -1, time.monotonic(), 120.0  # for the imports
    try:
        while True:
            if not selector.select(wait):
                yield max(number, start), f"bad: no answer within {wait:.0f} s", wait
                return
            line = child.stdout.readline()
            if not line:
                code = child.wait()
                if number < 0:
                    raise RuntimeError(f"no case of {kind} could be begun; try --only {kind} 0")
                if code:
                    yield number, f"bad: the process ended with status {code}", time.monotonic() - began
                return
            message = json.loads(line)
            if "begun" in message:
                number, began, wait = message["begun"], time.monotonic(), arguments.limit
            else:
                yield message["done"], message["outcome"], time.monotonic() - began
                wait = 120.0  # for the next case to begin, or the process to end
    finally:
        child.kill()
        child.wait()


if __name__ == "__main__":
    main()
