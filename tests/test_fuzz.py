"""A few of the fuzzer's cases; all of them: python -m tests.fuzz --pictures 10000 --weights 1000 --states 500 ..."""

import collections

import pytest

from fuzz.cases import KINDS, run_case


@pytest.mark.parametrize(("kind", "count"), list(zip(KINDS, (600, 40, 60, 100), strict=True)))
def test_mutated_files_are_read_or_refused(kind: str, count: int) -> None:
    assert run_case(kind, 1, 0, dry=True) == "read"
    outcomes = collections.Counter(run_case(kind, 1, number).split(":")[0] for number in range(count))
    assert outcomes.keys() <= {"read", "refused"}
    assert outcomes["refused"] > count / 2
