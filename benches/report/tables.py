"""What was measured as tables in Markdown, each a section of the page."""

import sys

OURS = "greenlet"
ENOUGH_FOR_MEMORY = 10_000
"""With fewer connections, what a server keeps in stock counts for more than what a connection takes."""
SERVICES = ("echo", "hello")
FLOORS = ("bare swap", "bare swap + current", "bare call", "bare epoll")

SWITCH = [
    "switch, ()",
    "switch, a word",
    "switch, 64 bytes",
    "switch, a word, through dyn Fn",
    "switch, a word, not inlined",
    "resume and yield, ()",
    "resume and yield, a word",
    "hub and 1000 in turn, a word",
    "hub and 10000 in turn, a word",
    "ring of 10000, a word",
    "ring of 100000, a word",
    "create + run + finish, recycled stack",
    "create + start, fresh stack",
    "create + start + kill",
    "try_switch, a word",
    "throw, catch, switch back",
]
SCHEDULER = [
    "spawn + join, 1000 at a time",
    "spawn + join, 100000 at once",
    "yield between 2",
    "yield among 1000",
    "queue, there and back",
    "channel, there and back",
    "semaphore, 100 for 10 permits",
    "mutex, 100 for one",
    "event that wakes 1000",
    "timeout set and cancelled",
    "100000 timers set, then cancelled",
    "1000000 timers set, then cancelled",
    "1000000 sleepers of 1 to 1000 ms",
    "to another thread, and back",
    "to another scheduler's thread, and back",
    "to a thread for what blocks, and back",
    "100000 sleepers of 1 to 1000 ms, over the longest",
]


def sections(figures):
    times, instructions = figures["times"], figures["instructions"]
    return {
        "machine": machine(figures["machine"], figures["noise"]),
        "behind": behind(figures),
        "switch": comparison(times, SWITCH, [OURS, "corosensei", "generator", "bare swap"], duration),
        "floors": floors(times, instructions),
        "instructions": comparison(
            instructions, SWITCH, [OURS, "corosensei", "generator", "bare swap"], number
        ),
        "scheduler": comparison(times, SCHEDULER, [OURS, "tokio", "smol", "may", "go"], duration),
        "scheduler_instructions": comparison(
            instructions, SCHEDULER, [OURS, "tokio", "smol"], number
        ),
        "fairness": fairness(figures["fairness"]),
        "cores": cores(figures["cores"]),
        "memory": memory(figures["memory"]),
        **{service: serving(served(figures, service)) for service in SERVICES},
        "syscalls": syscalls(figures["syscalls"]),
    }


def complain_of_forgotten_rows(figures):
    forgotten = set(figures["times"]) - set(SWITCH) - set(SCHEDULER)
    if forgotten:
        sys.exit(f"measured, and in no table: {', '.join(sorted(forgotten))}")


def comparison(found, rows, contestants, show):
    """A row for each row, with how many times ours the others take, and what ours takes of the best peer.

    Who was not there has no column.
    """
    contestants = [name for name in contestants if any(name in values for values in found.values())]
    lines = []
    for row in rows:
        values = found.get(row)
        if not values or OURS not in values:
            continue
        ours = values[OURS]
        others = [
            f"{show(values[name])} ({ratio(values[name] / ours)})" if name in values else ""
            for name in contestants[1:]
        ]
        peers = [values[name] for name in contestants[1:] if name in values and name not in FLOORS]
        best = ratio(ours / min(peers)) if peers else ""
        lines.append([row, f"**{show(ours)}**", *others, best])
    return table(["", *contestants, "of the best peer's"], lines)


def floors(times, instructions):
    row = "switch, a word"
    names = [OURS, "corosensei", *FLOORS[:3]]
    lines = [
        [name, duration(times[row][name]), number(instructions.get(row, {}).get(name))]
        for name in names
        if name in times.get(row, {})
    ]
    return table(["one way, a word", "time", "instructions"], lines)


def memory(records):
    lines = []
    for record in records:
        reached = whole(record["reached"])
        if record["reached"] < record["wanted"]:
            reached = f"ends at {reached}"
        if "resident" not in record:
            lines.append([record["contestant"], record["parked"], reached, *[""] * 6])
            continue
        resident, tables = record["resident"], record["page_tables"]
        lines.append([
            record["contestant"],
            record["parked"],
            reached,
            whole(resident),
            whole(tables),
            f"**{whole(resident + tables)}**",
            whole(record["mappings"]),
            duration(record["start_ns"]),
            duration(record["finish_ns"]),
        ])
    columns = ["", "parked in", "how many", "RSS, B", "page tables, B", "sum, B", "mappings", "to start", "to end"]
    return table(columns, lines)


def served(figures, service):
    return [record for record in figures["servers"] if record["service"] == service]


def serving(records):
    lines = []
    for record in records:
        same = [other for other in records if other["connections"] == record["connections"]]
        ours = next(other for other in same if other["contestant"] == OURS)
        lines.append([
            whole(record["connections"]),
            bold_if(record is ours, record["contestant"]),
            f"{bold_if(record is ours, '%.2f' % record['cpu_us'])} ({ratio(record['cpu_us'] / ours['cpu_us'])})",
            whole(record["requests_per_second"]),
            duration(record["p50_us"] * 1000),
            duration(record["p99_us"] * 1000),
            whole(record["resident"]) if record["connections"] >= ENOUGH_FOR_MEMORY else "",
        ])
    columns = ["connections", "", "server CPU, us a request", "requests/s", "p50", "p99", "RSS a connection, B"]
    return table(columns, lines)


def syscalls(records):
    lines = [
        [record["contestant"], ", ".join(f"{call} {each:.2f}" for call, each in record["calls"].items())]
        for record in records
    ]
    return table(["", "system calls a request"], lines)


def fairness(records):
    lines = [
        [
            bold_if(record["contestant"] == OURS, record["contestant"]),
            *(duration(record[key] * 1000) for key in ("median_us", "p99_us", "worst_us")),
            whole(record["reads_per_second"]),
        ]
        for record in records
    ]
    return table(["late by", "median", "99 %", "worst", "messages read/s"], lines)


def cores(records):
    lines = []
    for record in records:
        one = next(r for r in records if r["contestant"] == record["contestant"] and r["threads"] == 1)
        served, used = record["requests_per_second"], record["cpu_us"]
        # What so many threads would serve if each had a core to itself.
        alone = record["threads"] * one["cpu_us"] / used
        lines.append([
            bold_if(record["contestant"] == OURS, record["contestant"]),
            whole(record["threads"]),
            f"{whole(served)} ({ratio(served / one['requests_per_second'])})",
            duration(used * 1000),
            ratio(alone),
        ])
    return table(["", "threads", "requests/s", "CPU a request", "by CPU"], lines)


def behind(figures):
    """Where a peer needs less than this crate, and how much."""
    times = figures["times"]
    rows = [
        (row, times[row], figures["instructions"].get(row, {}))
        for row in SWITCH + SCHEDULER
        if OURS in times.get(row, {})
    ]
    for service in SERVICES:
        records = served(figures, service)
        for count in dict.fromkeys(record["connections"] for record in records):
            same = {r["contestant"]: r["cpu_us"] * 1000 for r in records if r["connections"] == count}
            rows.append((f"{service}, connections: {whole(count)}", same, {}))
    lines = []
    for row, values, instructions in rows:
        peers = {name: value for name, value in values.items() if name != OURS and name not in FLOORS}
        best = min(peers, key=peers.get, default=None)
        if best and values[OURS] > peers[best]:
            counts = [number(instructions.get(name)) for name in (OURS, best)]
            times = [duration(values[OURS]), duration(peers[best])]
            lines.append([row, best, *times, ratio(values[OURS] / peers[best]), *counts])
    if not lines:
        return "In none.\n"
    return table(["", "best peer", "this crate", "peer", "times as long", "instructions", "peer's"], lines)


def machine(facts, noise):
    return (
        f"Measured on {facts['date']}: {facts['processor']}, {facts['cores']} cores, {facts['kernel']}, "
        f"{facts['rust']}. Times of switching and scheduling were taken in {noise['passes']} runs, and the smallest "
        f"counts: of half of them, the largest was at most {noise['median']:.0%} above it, of nine tenths at most "
        f"{noise['p90']:.0%}.\n"
    )


def table(columns, lines):
    align = ["---", *["---:"] * (len(columns) - 1)]
    rows = [columns, align, *lines]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def duration(nanoseconds):
    for unit, size in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        if nanoseconds >= size:
            return f"{number(nanoseconds / size)} {unit}"
    return f"{number(nanoseconds)} ns"


def number(value):
    if value is None:
        return ""
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else whole(value)


def whole(value):
    return f"{value:,.0f}".replace(",", " ")


def ratio(value):
    return f"{value:.2f}×" if value < 10 else f"{value:.0f}×"


def bold_if(condition, text):
    return f"**{text}**" if condition else text
