"""A bar chart as SVG: how many times better tidepool is than its peers, on a logarithmic scale."""

import math
from html import escape

COLOURS = ("#2a7ab0", "#7fb069", "#d98e4a")
LABELS, PLOT, BAR, GAP, TOP = 400, 460, 13, 12, 64
LOWEST, HIGHEST = 1 / 8, 512


def x(ratio):
    ratio = min(max(ratio, LOWEST), HIGHEST)
    return LABELS + PLOT * math.log(ratio / LOWEST) / math.log(HIGHEST / LOWEST)


def _text(left, top, text, anchor="start", weight="normal"):
    return f'<text x="{left:.1f}" y="{top:.1f}" text-anchor="{anchor}" font-weight="{weight}">{escape(text)}</text>'


def svg(title, peers, rows):
    """`rows` are a heading and, for each peer, a ratio or None."""
    row_height = BAR * len(peers) + GAP
    height = TOP + row_height * len(rows) + 30
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LABELS + PLOT + 70}" height="{height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{LABELS + PLOT + 70}" height="{height}" fill="#ffffff"/>',
        _text(16, 22, title, weight="bold"),
    ]
    for number, peer in enumerate(peers):
        left = 16 + 190 * number
        parts.append(f'<rect x="{left}" y="34" width="12" height="12" fill="{COLOURS[number]}"/>')
        parts.append(_text(left + 18, 45, peer))
    ratio = LOWEST
    while ratio <= HIGHEST:
        stroke = "#333333" if ratio == 1 else "#dddddd"
        parts.append(f'<path d="M{x(ratio):.1f} {TOP - 6}V{height - 24}" stroke="{stroke}"/>')
        parts.append(_text(x(ratio), height - 8, f"{ratio:g}", "middle"))
        ratio *= 4 if ratio != 1 / 8 else 2
    for row, (heading, ratios) in enumerate(rows):
        top = TOP + row * row_height
        parts.append(_text(LABELS - 10, top + row_height / 2, heading, "end"))
        for number, value in enumerate(ratios):
            if value:
                left, right = sorted((x(1), x(value)))
                y = top + number * BAR
                parts.append(
                    f'<rect x="{left:.1f}" y="{y}" width="{max(right - left, 1):.1f}" height="{BAR - 2}" '
                    f'fill="{COLOURS[number]}"/>'
                )
                parts.append(_text(x(max(value, 1)) + 4, y + BAR - 3, f"{value:.2f}" if value < 10 else f"{value:.0f}"))
    return "\n".join([*parts, "</svg>", ""])
