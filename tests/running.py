"""The folder of a run that is under way."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from temperfill import images


def line(step: int, **more: Any) -> dict[str, Any]:
    heat = [0.1 / step, 0.2]
    temperatures = {"temperature": heat, "temperature_low": [heat[0] / 2, 0.1], "temperature_high": [heat[0] * 2, 0.3]}
    rates = {"seconds": 2.0 * step, "images_per_second": 4.0, "learning_rate": 1e-4}
    return {"step": step, "refined": 1 / step, "adversarial": -0.5, **temperatures, **rates, **more}


def write_run(folder: Path) -> Path:
    """Its configuration, log and samples; the last line of the log is being written."""
    (folder / "samples").mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"num_steps": 1000, "batch_size": 8, "seed": 3}))
    lines: list[dict[str, Any]] = [line(step) for step in range(20, 120, 20)]
    lines[2:2] = [{"step": 50, "seconds": 100.0, "validation": {"loss": 0.25, "psnr": 21.0}}]
    (folder / "log.jsonl").write_text("".join(json.dumps(x) + "\n" for x in lines) + '{"step": 120, "refi')
    for step in range(100, 900, 100):
        pixels = np.full((6, 9, 3), step // 10, np.uint8)
        images.save_picture(folder / "samples" / f"{step:07d}.png", images.open_picture(pixels))
    return folder
