"""What was measured, as one dictionary.

    machine        what it was measured on
    times          {row: {contestant: nanoseconds per element}}, the smaller of all runs
    noise          {passes, median, p90}: by what part the largest of all runs was above the smallest, at
                   most, in half of the figures and in nine tenths
    instructions   {row: {contestant: instructions per element}}
    fairness, cores, memory, servers, syscalls   lists of records, as the programs write them
"""

import json
import os
import platform
import subprocess
import time


def collect(target):
    passes = [times(path) for path in (target / "tmp").glob("criterion-*")]
    found = gather(passes)
    return {
        "machine": machine(),
        "times": smallest(found),
        "noise": {"passes": len(passes), **noise(found)},
        "instructions": json_file(target / "tmp" / "instructions.json", {}),
        "fairness": json_lines(target / "tmp" / "fairness.jsonl"),
        "cores": json_lines(target / "tmp" / "cores.jsonl"),
        "memory": json_lines(target / "tmp" / "memory.jsonl"),
        "servers": json_lines(target / "tmp" / "servers.jsonl"),
        "syscalls": json_lines(target / "tmp" / "syscalls.jsonl"),
    }


def save(figures, path):
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n")


def load(path):
    return json.loads(path.read_text())


def times(criterion):
    """Of every benchmark the median, for one element."""
    found = {}
    for path in criterion.glob("*/*/new/benchmark.json"):
        benchmark = json.loads(path.read_text())
        estimates = json.loads((path.parent / "estimates.json").read_text())
        elements = benchmark["throughput"]["Elements"]
        each = estimates["median"]["point_estimate"] / elements
        found.setdefault(benchmark["group_id"], {})[benchmark["function_id"]] = each
    return found


def gather(passes):
    """{row: {contestant: [its figure in each pass]}}"""
    found = {}
    for figures in passes:
        for row, values in figures.items():
            for name, value in values.items():
                found.setdefault(row, {}).setdefault(name, []).append(value)
    return found


def smallest(found):
    """What other programs do can only make a figure larger."""
    return {row: {name: min(values) for name, values in each.items()} for row, each in found.items()}


def noise(found):
    excess = sorted(max(values) / min(values) - 1 for each in found.values() for values in each.values())
    at = lambda part: round(excess[int((len(excess) - 1) * part)], 3) if excess else 0
    return {"median": at(0.5), "p90": at(0.9)}


def json_file(path, otherwise):
    return json.loads(path.read_text()) if path.exists() else otherwise


def json_lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def machine():
    with open("/proc/cpuinfo") as cpuinfo:
        models = [line.split(":")[1].strip() for line in cpuinfo if line.startswith("model name")]
    rust = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=True).stdout
    return {
        "processor": models[0] if models else platform.machine(),
        "cores": os.cpu_count(),
        "kernel": f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}",
        "rust": " ".join(rust.split()[:2]),
        "date": time.strftime("%Y-%m-%d"),
    }
