"""The results for people: Markdown tables, the part of them that the README shows, and JSON."""

import dataclasses
import json

from lib.contenders import CACHE, REGISTRY, STATIC, TIDEPOOL
from lib.targets import verdicts

# What the README shows: subject, case, figure, heading, digits. Cases that were not measured are left out.
HIGHLIGHTS = (
    ("manifests", "GET by tag, 32 connections", "rate", "manifest GET by tag, 32 connections, requests/s", 0),
    ("manifests", "GET by digest, 32 connections", "rate", "manifest GET by digest, 32 connections, requests/s", 0),
    ("manifests", "GET by digest, 256 connections", "rate", "manifest GET by digest, 256 connections, requests/s", 0),
    ("manifests", "GET by digest, a connection each, 32 at a time", "rate",
     "manifest GET by digest, a connection each, requests/s", 0),
    ("manifests", "GET by digest, 32 connections, TLS", "rate", "manifest GET by digest, TLS, requests/s", 0),
    ("blobs", "64 MiB, 16 clients", "gb_per_s", "blobs of 64 MiB, 16 clients, GB/s", 2),
    ("blobs", "64 MiB, 16 clients", "cpu_s_per_gb", "the same, server CPU seconds per GB", 3),
    ("blobs", "1 MiB, 256 clients", "cpu_s_per_gb", "blobs of 1 MiB, 256 clients, server CPU seconds per GB", 3),
    ("small_blobs", "cached, 32 connections", "rate", "blobs of 10 KB, 32 connections, blobs/s", 0),
    ("cold_blob", "200 MB, upstream at 100 MB/s", "total_s", "cold blob of 200 MB, upstream at 100 MB/s, seconds", 2),
    ("herd", "100 clients", "total_s", "the same for 100 clients at once, seconds", 2),
    ("herd", "100 clients", "upstream_gets", "the same, upstream GETs of the blob", 0),
    ("images", "10 clients", "images_per_s", "tiny images, 10 clients, images/s", 0),
    ("images", "100 clients", "images_per_s", "tiny images, 100 clients, images/s", 0),
    ("upstream_requests", "warm", "upstream_requests", "upstream requests for a cached image", 0),
)
PEERS = (CACHE, STATIC, REGISTRY)


# Of these more is better; of times, CPU and upstream requests less.
MORE_IS_BETTER = ("rate", "gb_per_s", "images_per_s")


def number(value, digits):
    return "–" if value is None else f"{value:,.{digits}f}"


def times(value):
    if value is None:
        return ""
    return f" ({value:.2f})" if value < 10 else f" ({value:.0f})"


def _table(header, rows):
    alignment = ["---"] + ["---:"] * (len(header) - 1)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [header, alignment, *rows]) + "\n"


def machine_text(machine):
    return "; ".join(f"{name} {value}" for name, value in machine.items()) + ".\n"


def verdict_table(summary):
    rows = [
        [f"{v.subject}: {v.case}", v.target.text, number(v.value, 2), v.target.limit, v.word] for v in verdicts(summary)
    ]
    return _table(["case", "what", "measured", "target", "verdict"], rows)


def subject_tables(summary, subject, module):
    contenders = summary.contenders(subject)
    for figure, heading, digits in module.COLUMNS:
        rows = []
        for case in summary.cases[subject]:
            cells = [case]
            for kind in contenders:
                failed = len(summary.problems.get((subject, case, kind), ()))
                # The ratio is tidepool's to theirs.
                relation = "" if kind == TIDEPOOL else times(summary.ratio(subject, case, figure, TIDEPOOL, kind))
                value = number(summary.figure(subject, case, kind, figure), digits) + relation
                cells.append(f"failed {failed} times" if failed else value)
            if any(cell.strip() != "–" for cell in cells[1:]):
                rows.append(cells)
        if rows:
            yield f"**{heading}**\n\n" + _table(["case", *contenders], rows)


def highlights(summary):
    """Figure, heading, digits and the values of tidepool and of its peers, of what the README shows."""
    for subject, case, figure, heading, digits in HIGHLIGHTS:
        mine = summary.figure(subject, case, TIDEPOOL, figure)
        if mine is not None:
            yield figure, heading, digits, mine, [summary.figure(subject, case, peer, figure) for peer in PEERS]


def advantages(summary):
    """For the chart: how many times better tidepool is than each of its peers, where there is a ratio."""
    for figure, heading, _, mine, theirs in highlights(summary):
        ratios = [mine / value if value and mine else None for value in theirs]
        if figure not in MORE_IS_BETTER:
            ratios = [1 / ratio if ratio else None for ratio in ratios]
        if any(ratios):
            yield heading, ratios


def readme(summary, machine):
    rows = [
        [heading, number(mine, digits), *(number(value, digits) for value in theirs)]
        for _, heading, digits, mine, theirs in highlights(summary)
    ]
    return _table(["", TIDEPOOL, *PEERS], rows) + "\n" + f"Medians, {machine_text(machine)}"


def markdown(summary, machine, subjects, settings):
    parts = ["# Results of `bench/run`\n", machine_text(machine), settings + "\n"]
    parts.append("In brackets: tidepool's figure divided by that server's. Where a measurement failed there is no figure.\n")
    parts += ["## Targets\n", verdict_table(summary)]
    for subject in summary.cases:
        parts += [f"## {subjects[subject].TITLE}\n", (subjects[subject].__doc__ or "").strip() + "\n"]
        parts += subject_tables(summary, subject, subjects[subject])
    if summary.problems:
        parts.append("## What failed\n")
        parts += [f"- {' / '.join(key)}: {len(texts)} times, such as: {texts[0][:300]}" for key, texts in summary.problems.items()]
    return "\n".join(parts) + "\n"


def as_json(summary, machine, records, options):
    return json.dumps(
        {
            "machine": machine,
            "options": options,
            "results": summary.as_json(),
            "targets": [
                {"subject": v.subject, "case": v.case, "what": v.target.text, "value": v.value, "target": v.target.limit,
                 "verdict": v.word}
                for v in verdicts(summary)
            ],
            "rounds": [dataclasses.asdict(record) for record in records],
        },
        indent=1, ensure_ascii=False,
    )
