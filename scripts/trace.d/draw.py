"""Draws the trace of the upload among spans (a line of JSON each): python3 draw.py SPANS [OUT.svg]. Text goes to standard output."""

import html
import json
import sys

ROW, LEFT, WIDTH = 18, 330, 760
COLOURS = {"server": "#2563eb", "producer": "#9333ea", "consumer": "#9333ea", "client": "#ea580c", "internal": "#0d9488"}


def load(path):
    with open(path, encoding="utf-8") as lines:
        spans = [json.loads(line) for line in lines]
    roots = [span for span in spans if span["name"] == "POST /v1/files"]
    if not roots:
        sys.exit("draw: no upload among the spans")
    return [span for span in spans if span["trace"] == roots[0]["trace"]]


def ordered(spans):
    """Each span behind its parent, brothers by their beginnings; with the depth."""
    known, below = {span["id"] for span in spans}, {}
    for span in sorted(spans, key=lambda span: (span["begin_ns"], span["end_ns"])):
        below.setdefault(span["parent"] if span["parent"] in known else "", []).append(span)

    def walk(parent, depth):
        for span in below.get(parent, []):
            yield depth, span
            yield from walk(span["id"], depth + 1)

    return list(walk("", 0))


def label(span):
    what = span["attributes"]
    detail = what.get("reelgate.event") if span["name"] == "POST webhook" else None
    if span["name"] == "rendition":
        detail = what.get("reelgate.rendition")
    return f"{span['name']} {detail}" if detail else span["name"]


def milliseconds(ns):
    return f"{ns / 1e6:.0f} ms" if ns >= 1e6 else f"{ns / 1e6:.1f} ms"


def text(rows, begin, end):
    columns = 60
    scale = columns / (end - begin)
    for depth, span in rows:
        at = int((span["begin_ns"] - begin) * scale)
        length = max(1, round((span["end_ns"] - span["begin_ns"]) * scale))
        bar = " " * at + "#" * min(length, columns - at)
        took = milliseconds(span["end_ns"] - span["begin_ns"])
        print(f"{'  ' * depth + label(span):<44} {milliseconds(span['begin_ns'] - begin):>8} {took:>8} |{bar:<{columns}}|")


def svg(rows, begin, end):
    scale = WIDTH / (end - begin)
    height = ROW * (len(rows) + 2)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 80} {height}" font-family="sans-serif" font-size="11">',
        f"<title>Trace of one upload, {milliseconds(end - begin)}</title>",
        f'<rect width="100%" height="{height}" fill="#ffffff"/>',
    ]
    for tick in range(6):
        x = LEFT + WIDTH * tick / 5
        out.append(f'<line x1="{x:.1f}" y1="{ROW}" x2="{x:.1f}" y2="{height}" stroke="#e5e7eb"/>')
        out.append(f'<text x="{x:.1f}" y="12" text-anchor="middle" fill="#6b7280">{milliseconds((end - begin) * tick / 5)}</text>')
    for number, (depth, span) in enumerate(rows):
        y = ROW * (number + 1)
        x = LEFT + (span["begin_ns"] - begin) * scale
        width = max(1.5, (span["end_ns"] - span["begin_ns"]) * scale)
        took = milliseconds(span["end_ns"] - span["begin_ns"])
        colour = "#dc2626" if span["failed"] else COLOURS.get(span["kind"], "#0d9488")
        out.append(f'<text x="{6 + depth * 12}" y="{y + 13}" fill="#111827">{html.escape(label(span))}</text>')
        out.append(f'<rect x="{x:.1f}" y="{y + 3}" width="{width:.1f}" height="{ROW - 6}" rx="2" fill="{colour}"/>')
        for _, at in span["events"]:
            moment = LEFT + (at - begin) * scale
            out.append(f'<line x1="{moment:.1f}" y1="{y + 3}" x2="{moment:.1f}" y2="{y + ROW - 3}" stroke="#ffffff"/>')
        out.append(f'<text x="{x + width + 4:.1f}" y="{y + 13}" fill="#6b7280">{took}</text>')
    out.append("</svg>")
    return "\n".join(out) + "\n"


def main():
    rows = ordered(load(sys.argv[1]))
    begin = min(span["begin_ns"] for _, span in rows)
    end = max(span["end_ns"] for _, span in rows)
    text(rows, begin, end)
    if len(sys.argv) > 2:
        with open(sys.argv[2], "w", encoding="utf-8") as picture:
            picture.write(svg(rows, begin, end))


main()
