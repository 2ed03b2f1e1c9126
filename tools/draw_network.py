"""Draws the picture of the network in README, network.svg: `python tools/draw_network.py docs/images`.

The small pictures are real: the bundled sample at 256x256, what the default model's coarse and refinement networks make
of it, and what each head of its attention copies from at the marked place, with the temperatures it has there.
"""

import base64
import io
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw

from temperfill import Inpainter, images
from temperfill.tensors import composite
from temperfill.weights_files import load_generator

SIDE = 256  # pixels that the network sees
PLACE = (70, 214)  # row and column that is asked for its sources
FONT = "font-family='Helvetica, Arial, sans-serif'"
INK, GREY, LINE = "#1f2933", "#52606d", "#7b8794"
VIOLET, BLUE, AMBER, GREEN = (
    ("#ede9fe", "#7c3aed"),
    ("#dbeafe", "#2563eb"),
    ("#fef3c7", "#b45309"),
    ("#d1fae5", "#047857"),
)
WARM, COLD = "#ea580c", "#2563eb"
WARM_FROM = 0.02  # temperature


def pictures() -> tuple[list[Image.Image], list[tuple[float, Image.Image]]]:
    """Masked picture, coarse and final result; temperature and sources of each head."""
    package = files("temperfill")
    with (package / "samples" / "photo.jpg").open("rb") as photo, (package / "samples" / "mask.png").open("rb") as mask:
        picture = Image.open(photo).convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
        hole = np.asarray(Image.open(mask).convert("L").resize((SIDE, SIDE), Image.Resampling.NEAREST)) > 127
    weights = Path(str(package / "weights" / "base.safetensors"))
    image = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 255
    missing = torch.from_numpy(hole)[None, None].float()
    with torch.inference_mode():
        output = load_generator(weights)(image, missing)
    planes = [composite(plane, image, missing) for plane in (torch.ones_like(image), output.coarse, output.refined)]
    stages = [Image.fromarray((p[0].permute(1, 2, 0) * 255).round().byte().numpy()) for p in planes]
    inpainter = Inpainter.from_pretrained("base", "cpu", "fp32")
    heads = inpainter.sources(images.open_picture(picture), hole, *PLACE, top=24).heads
    return stages, [(head.temperature, _marked(stages[0], head)) for head in heads]


def _marked(masked: Image.Image, head: Any) -> Image.Image:
    """The masked picture, paler, with the place in the hole and the patches that it is copied from."""
    sheet = Image.blend(masked, Image.new("RGB", masked.size, "white"), 0.35).convert("RGBA")
    largest = max(match.weight for match in head.matches)
    colour = WARM if head.temperature > WARM_FROM else COLD
    for match in reversed(head.matches):
        top, left, bottom, right = match.box
        layer = Image.new("RGBA", sheet.size)
        strength = 60 + round(195 * match.weight / largest)
        box = (left, top, right - 1, bottom - 1)
        ImageDraw.Draw(layer).rectangle(
            box, fill=(*_rgb(colour), strength // 2), outline=(*_rgb(colour), strength), width=2
        )
        sheet = Image.alpha_composite(sheet, layer)
    row, column = PLACE
    ImageDraw.Draw(sheet).ellipse((column - 6, row - 6, column + 6, row + 6), fill=INK, outline="white", width=2)
    return sheet.convert("RGB")


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def thumbnail(picture: Image.Image, x: float, y: float, side: float, stroke: str = LINE) -> str:
    """A picture with rounded corners and a thin frame."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=86)
    data = base64.b64encode(buffer.getvalue()).decode()
    place = f"x='{x}' y='{y}' width='{side}' height='{side}'"
    return (
        f"<image {place} clip-path='inset(0 round 8px)' href='data:image/jpeg;base64,{data}'/>"
        f"<rect {place} rx='8' fill='none' stroke='{stroke}' stroke-width='1.5'/>"
    )


def text(
    x: float, y: float, words: str, size: int = 17, colour: str = INK, anchor: str = "middle", bold: bool = False
) -> str:
    """Lines of text, the first at y; | begins a new one."""
    weight = " font-weight='600'" if bold else ""
    lines = "".join(
        f"<tspan x='{x}' dy='{0 if i == 0 else 1.25 * size}'>{w}</tspan>" for i, w in enumerate(words.split("|"))
    )
    return (
        f"<text x='{x}' y='{y}' {FONT} font-size='{size}' fill='{colour}' text-anchor='{anchor}'{weight}>{lines}</text>"
    )


def arrow(*points: tuple[float, float], colour: str = LINE, dashed: bool = False, head: bool = True) -> str:
    """A line through the points with a head at its end."""
    path = " ".join(f"{'M' if i == 0 else 'L'}{x} {y}" for i, (x, y) in enumerate(points))
    end = f" marker-end='url(#head{colour[1:]})'" if head else ""
    dash = " stroke-dasharray='6 5'" if dashed else ""
    return f"<path d='{path}' fill='none' stroke='{colour}' stroke-width='2' stroke-linejoin='round'{dash}{end}/>"


def box(x: float, y: float, width: float, height: float, colours: tuple[str, str], words: str, size: int = 16) -> str:
    """A rounded box with lines of text in its middle."""
    middle = y + height / 2 + 0.35 * size - 0.625 * size * words.count("|")
    place = f"x='{x}' y='{y}' width='{width}' height='{height}'"
    shape = f"<rect {place} rx='9' fill='{colours[0]}' stroke='{colours[1]}' stroke-width='1.5'/>"
    return shape + text(x + width / 2, middle, words, size)


def bars(x: float, y: float, sizes: str, colours: tuple[str, str], step: float) -> str:
    """Layers as bars around the line y: 1 at full size, 2 at half, 4 at a quarter, d dilated."""
    heights = {"1": 124, "2": 88, "4": 56, "d": 56}
    shapes = []
    for i, size in enumerate(sizes):
        height = heights[size]
        fill = colours[1] if size == "d" else colours[0]
        shapes.append(
            f"<rect x='{x + i * step}' y='{y - height / 2}' width='{0.66 * step:.1f}' height='{height}' rx='3' "
            f"fill='{fill}' fill-opacity='{0.55 if size == 'd' else 1}' stroke='{colours[1]}' stroke-width='1.5'/>"
        )
    return "".join(shapes)


def panel(x: float, y: float, width: float, height: float, title: str) -> str:
    """A pale field with a title."""
    field = f"<rect x='{x}' y='{y}' width='{width}' height='{height}' rx='14' fill='#f5f7fa' stroke='#cbd2d9'/>"
    return field + text(x + 18, y + 29, title, 19, anchor="start", bold=True)


def way(stages: list[Image.Image]) -> list[str]:
    """The upper half: from the masked picture to the result."""
    return [
        panel(188, 26, 212, 348, "Coarse network"),
        panel(580, 26, 490, 348, "Refinement network"),
        f"<path d='M732 308 L470 414 L1082 414 L820 308 Z' fill='{AMBER[0]}' fill-opacity='0.7'/>",
        thumbnail(stages[0], 20, 130, 140),
        text(90, 298, "picture and mask|(and sketch)", 17, GREY),
        arrow((162, 200), (202, 200)),
        bars(208, 200, "122444dddd442211", VIOLET, 11),
        text(294, 298, "gated convolutions,|dilated in|the middle", 16, GREY),
        arrow((384, 200), (414, 200)),
        thumbnail(stages[1], 420, 130, 140),
        text(490, 298, "coarse result,|pasted into the hole", 17, GREY),
        arrow((562, 200), (598, 200), head=False),
        arrow((598, 200), (598, 130), (616, 130)),
        arrow((598, 200), (598, 284), (616, 284)),
        bars(622, 130, "122444dddd", BLUE, 14),
        text(642, 80, "convolution branch", 17, BLUE[1], "start"),
        arrow((764, 130), (884, 130), (884, 181)),
        bars(622, 284, "122444", AMBER, 14),
        text(642, 350, "attention branch", 17, AMBER[1], "start"),
        arrow((708, 284), (724, 284)),
        box(730, 258, 92, 52, AMBER, "MHTMA", 19),
        arrow((824, 284), (836, 284)),
        bars(842, 284, "44", AMBER, 14),
        arrow((868, 284), (884, 284), (884, 223)),
        box(862, 188, 44, 28, ("white", LINE), "join", 15),
        arrow((908, 202), (924, 202)),
        bars(931, 202, "442111", GREEN, 14),
        text(976, 124, "decoder", 17, GREEN[1]),
        arrow((1014, 202), (1088, 202)),
        arrow((802, 310), (802, 334), (1006, 334), (1006, 268), colour=AMBER[1], dashed=True),
        text(916, 356, "carried detail", 16, AMBER[1]),
        thumbnail(stages[2], 1096, 132, 140),
        text(1166, 300, "result, used|in the hole alone", 17, GREY),
    ]


def attention(heads: list[tuple[float, Image.Image]]) -> list[str]:
    """The lower half: the attention with its heads and temperatures."""
    parts = [
        panel(30, 414, 1220, 400, "MHTMA: multi-head temperature masked self-attention"),
        box(46, 564, 88, 120, AMBER, "features|at a|quarter|size"),
        box(168, 462, 232, 62, GREEN, "temperature network:|one T for each head"),
        arrow((90, 562), (90, 493), (162, 493)),
        arrow((136, 624), (150, 624), head=False),
        arrow((402, 493), (558, 493), (558, 544), colour=GREEN[1]),
        arrow((558, 652), (558, 686), colour=GREEN[1]),
        text(706, 530, "sources of the dot", 16, GREY),
    ]
    for number, ((temperature, sources), y) in enumerate(zip(heads, (552, 694), strict=True), 1):
        warm = temperature > WARM_FROM
        colours = ("#ffedd5", WARM) if warm else ("#dbeafe", COLD)
        middle = y + 49
        parts += [
            arrow((150, 624), (150, middle), (162, middle)),
            box(168, y, 134, 98, colours, "1x1 projection,|3x3 patches"),
            arrow((304, middle), (318, middle)),
            box(324, y, 156, 98, colours, "cosine similarity,|keys in the hole|masked"),
            arrow((482, middle), (496, middle)),
            box(502, y, 112, 98, colours, f"÷ T, softmax|T = {temperature:.3f}"),
            arrow((616, middle), (636, middle)),
            thumbnail(sources, 642, y - 14, 126, colours[1]),
            text(
                784, middle - 4, f"head {number}|{'warm: blends' if warm else 'cold: copies'}", 17, colours[1], "start"
            ),
            arrow((908, middle), (932, middle), (932, 672), (948, 672)),
        ]
    return [
        *parts,
        box(954, 622, 134, 100, AMBER, "1x1 projection|of all heads"),
        arrow((1090, 672), (1112, 672)),
        box(1118, 622, 116, 100, AMBER, "features,|hole refined"),
    ]


def main(folder: Path) -> None:
    """Writes network.svg into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    stages, heads = pictures()
    tips = "".join(
        f"<marker id='head{c[1:]}' viewBox='0 0 10 10' refX='8' refY='5' markerWidth='6' markerHeight='6' "
        f"orient='auto'><path d='M0 0 L10 5 L0 10 Z' fill='{c}'/></marker>"
        for c in (LINE, GREEN[1], AMBER[1])
    )
    drawing = [
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 1280 836' width='1280' height='836'>",
        f"<defs>{tips}</defs><rect width='1280' height='836' rx='16' fill='white'/>",
        *way(stages),
        *attention(heads),
        "</svg>",
    ]
    (folder / "network.svg").write_text("\n".join(drawing) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
