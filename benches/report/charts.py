"""What was measured as charts: one panel a row, one bar a contestant, the shortest first."""

from dataclasses import dataclass
from html import escape

from tables import FLOORS, OURS, duration, number, served, whole

WIDTH = 760
MARGIN = 20
NAME = 150
"""How far from the left the bars begin."""
VALUE = 190
"""How much room there is for what stands after the longest bar."""
BAR, GAP = 16, 5
TITLE, PANEL_TITLE, PANEL_GAP = 34, 24, 16

STYLE = """
  text { font: 13px system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; fill: #1f2328; }
  .title { font-size: 17px; font-weight: 600; }
  .panel { font-weight: 600; }
  .note { fill: #59636e; }
  .ours { font-weight: 600; }
  .paper { fill: #ffffff; stroke: #d1d9e0; }
  rect.ours { fill: #0969da; }
  rect.peer { fill: #b6bfc9; }
  rect.floor { fill: none; stroke: #59636e; stroke-dasharray: 3 2; }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc; }
    .note { fill: #9198a1; }
    .paper { fill: #0d1117; stroke: #3d444d; }
    rect.ours { fill: #4493f8; }
    rect.peer { fill: #565e67; }
    rect.floor { stroke: #9198a1; }
  }
"""


@dataclass
class Bar:
    name: str
    value: float
    label: str

    @property
    def kind(self):
        return "ours" if self.name == OURS else "floor" if self.name in FLOORS else "peer"


@dataclass
class Panel:
    title: str
    bars: list


def all_of_them(figures):
    times = figures["times"]
    charts = {
        "switch": ("Switching: time one way, shorter is better", [
            time_panel(times, row)
            for row in (
                "switch, a word",
                "resume and yield, a word",
                "hub and 1000 in turn, a word",
                "hub and 10000 in turn, a word",
                "create + run + finish, recycled stack",
                "create + start, fresh stack",
            )
        ]),
        "scheduler": ("Scheduling: processor time each, shorter is better", [
            time_panel(times, row)
            for row in (
                "spawn + join, 1000 at a time",
                "spawn + join, 100000 at once",
                "yield among 1000",
                "queue, there and back",
                "semaphore, 100 for 10 permits",
                "mutex, 100 for one",
                "event that wakes 1000",
                "timeout set and cancelled",
            )
        ]),
        "echo": ("Echo, 64 bytes: server's processor time a request, shorter is better",
                 serving_panels(served(figures, "echo"))),
        "hello": ("A greeting over HTTP: server's processor time a request, shorter is better",
                  serving_panels(served(figures, "hello"))),
        "memory": ("Memory of one that is parked, among a million: shorter is better",
                   memory_panels(figures["memory"])),
    }
    return {name: draw(title, [panel for panel in panels if panel.bars]) for name, (title, panels) in charts.items()}


def time_panel(times, row):
    return Panel(row, [Bar(name, value, duration(value)) for name, value in times.get(row, {}).items()])


def serving_panels(records):
    panels = {}
    for record in records:
        title = f"connections: {whole(record['connections'])}"
        bar = Bar(record["contestant"], record["cpu_us"], f"{number(record['cpu_us'])} us")
        panels.setdefault(title, Panel(title, [])).bars.append(bar)
    return list(panels.values())


def memory_panels(records):
    panels = {}
    for record in records:
        if "resident" not in record:
            continue
        parked = record["parked"]
        total = record["resident"] + record["page_tables"]
        label = f"{whole(total)} B"
        if record["reached"] < record["wanted"]:
            label += f", ends at {whole(record['reached'])}"
        panels.setdefault(parked, Panel(f"parked in {parked}", [])).bars.append(Bar(record["contestant"], total, label))
    return list(panels.values())


def draw(title, panels):
    parts, y = [], MARGIN + TITLE
    for panel in panels:
        parts.append(text(MARGIN, y + 13, panel.title, "panel"))
        y += PANEL_TITLE
        longest = max(bar.value for bar in panel.bars)
        ours = next((bar.value for bar in panel.bars if bar.kind == "ours"), None)
        for bar in sorted(panel.bars, key=lambda bar: bar.value):
            parts += draw_bar(bar, y, longest, ours)
            y += BAR + GAP
        y += PANEL_GAP
    height = y - PANEL_GAP + MARGIN
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="paper" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="6"/>',
        text(MARGIN, MARGIN + 15, title, "title"),
        *parts,
        "</svg>\n",
    ])


def draw_bar(bar, y, longest, ours):
    middle = y + BAR - 3.5
    length = max(2, bar.value / longest * (WIDTH - NAME - VALUE - 2 * MARGIN))
    kind = "ours" if bar.kind == "ours" else "note"
    times = "" if ours is None or bar.kind == "ours" else f", {bar.value / ours:.2f}×"
    left = MARGIN + NAME
    return [
        text(left - 8, middle, bar.name, kind, "end"),
        f'<rect class="{bar.kind}" x="{left}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2"/>',
        text(left + length + 8, middle, bar.label + times, kind),
    ]


def text(x, y, words, kind, anchor="start"):
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'
