"""The chart of the page: a bar a system and workload, on a logarithmic scale, as SVG."""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape

from results import Cell, Results, by_speed

NAMES, PANEL, GAP = 190, 230, 48  # widths
ROW, BAR, TOP, BOTTOM = 22, 14, 44, 30  # heights
LOWEST, HIGHEST = -4, 2  # powers of ten seconds at a panel's edges
TITLES = {"layers": "layers", "files": "files", "again": "files, again"}
COLOURS = {True: ("#0b6e4f", "#8fc9b3"), False: ("#4a5568", "#c3cad5")}  # ours, others
STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#1a202c}"
    ".ours{font-weight:600}.tick{fill:#718096;font-size:10px}"
)


def svg(results: Results, tasks: int) -> str:
    """Return the chart; a workload that failed, or that a system hasn't, has words for a bar."""
    systems = by_speed(results)
    width = NAMES + len(TITLES) * (PANEL + GAP)
    height = TOP + ROW * len(systems) + BOTTOM
    body = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
        f"<title>What {tasks:,} tasks take by each system</title>",
        f"<style>{STYLE}</style>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    for index, (workload, title) in enumerate(TITLES.items()):
        left = NAMES + index * (PANEL + GAP)
        body += _grid(left, title, height)
        for row, system in enumerate(systems):
            top = TOP + row * ROW
            body += _bar(left, top, results[system].get(workload), COLOURS[system.ours])
    for row, system in enumerate(systems):
        kind = ' class="ours"' if system.ours and row else ""
        y = TOP + row * ROW + BAR - 2
        body.append(
            f'<text x="{NAMES - 8}" y="{y}" text-anchor="end"{kind}>{escape(system.name)}</text>'
        )
    return "\n".join([*body, "</svg>", ""])


def _grid(left: float, title: str, height: float) -> Iterator[str]:
    yield f'<text x="{left}" y="18" class="ours">{title}</text>'
    for power in range(LOWEST, HIGHEST + 1):
        x = _x(left, 10.0**power)
        yield f'<path d="M{x:.1f} {TOP - 6}V{height - BOTTOM}" stroke="#e2e8f0"/>'
        label = f"{10**power:g} s" if power >= 0 else f"{10.0 ** (power + 3):g} ms"
        place = f'x="{x:.1f}" y="{height - 12}" text-anchor="middle"'
        yield f'<text {place} class="tick">{label}</text>'


def _bar(left: float, top: float, cell: Cell | None, colours: tuple[str, str]) -> Iterator[str]:
    if cell is None or not cell.measured:
        word = "failed" if cell else "none"
        yield f'<text x="{left + 4}" y="{top + BAR - 3}" class="tick">{word}</text>'
        return
    run, whole = _x(left, cell.run), _x(left, cell.whole)
    for end, colour in zip((whole, run), reversed(colours), strict=True):
        size = f'width="{end - left:.1f}" height="{BAR}"'
        yield f'<rect x="{left}" y="{top}" {size} fill="{colour}"/>'
    if cell.remade:
        yield f'<text x="{whole + 4:.1f}" y="{top + BAR - 3}" class="tick">remade</text>'


def _x(left: float, seconds: float) -> float:
    share = (math.log10(seconds) - LOWEST) / (HIGHEST - LOWEST)
    return left + PANEL * min(max(share, 0.0), 1.0)
