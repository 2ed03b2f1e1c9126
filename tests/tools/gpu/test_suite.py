"""Tests on the device: what fails is named, and what takes too long is stopped."""

from pathlib import Path

import pytest

from tools.gpu import suite


def test_failing_tests_are_named_and_do_not_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tests" / "gpu").mkdir(parents=True)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = gpu\n")
    (tmp_path / "tests" / "gpu" / "test_it.py").write_text(
        "import pytest\npytestmark = pytest.mark.gpu\n"
        "def test_good(): pass\ndef test_bad(): assert 1 == 2\ndef test_skipped(): pytest.skip()\n"
    )
    monkeypatch.setattr(suite, "ROOT", tmp_path)
    found = suite.run_tests(tmp_path / "tests.txt", 60)
    assert (found["exit status"], found["passed"], found["skipped"]) == (1, 1, 1)
    assert [name.rpartition("::")[2] for name in found["failed"]] == ["test_bad"]
    assert "assert 1 == 2" in found["end of the output"]


def test_tests_that_take_too_long_are_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tests" / "gpu").mkdir(parents=True)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = gpu\n")
    (tmp_path / "tests" / "gpu" / "test_it.py").write_text(
        "import time\nimport pytest\npytestmark = pytest.mark.gpu\ndef test_long(): time.sleep(600)\n"
    )
    monkeypatch.setattr(suite, "ROOT", tmp_path)
    assert suite.run_tests(tmp_path / "tests.txt", 3)["exit status"] == "stopped: the time was over"
