"""``temperfill models --all`` lists every method with all that there is to know of it."""

import pytest

from temperfill import cli
from temperfill.methods import METHODS


def test_every_method_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["models", "--all"])
    lines = capsys.readouterr().out.splitlines()
    assert {line for line in lines if not line.startswith(" ")} == set(METHODS)
    for title in ("paper", "parameters", "terms", "needs"):
        assert sum(line.startswith(f"  {title}:") for line in lines) == len(METHODS)
    start = lines.index("deepfillv2")
    assert "4.1 M" in lines[start + 2]
    assert "temperfill train deepfillv2" in lines[start + 4]
