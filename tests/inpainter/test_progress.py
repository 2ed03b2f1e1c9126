"""Steps that are counted over windows, also where one is begun again."""

from temperfill.inpainter.progress import FillProgress


def test_steps_of_all_windows_are_counted_and_the_end_is_told_once() -> None:
    told: list[tuple[int, int]] = []
    progress = FillProgress(lambda *where: told.append(where), 3)
    progress.begin(2)
    progress.advance()
    progress.begin(1)
    progress.end()
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_a_window_that_is_begun_again_never_counts_beyond_its_steps() -> None:
    told: list[tuple[int, int]] = []
    progress = FillProgress(lambda *where: told.append(where), 4)
    progress.begin(3)
    for _ in range(5):  # two of them again
        progress.advance()
    progress.begin(1)
    progress.end()
    assert told == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]


def test_nobody_needs_to_listen() -> None:
    progress = FillProgress(None, 1)
    progress.begin(1)
    progress.end()
    assert progress.done == 1
