"""Counts the instructions of every row that can be counted, by callgrind.

    python3 benches/report/instructions.py OUTPUT PROGRAM...

The programs are the suites of criterion, which run a row a given number of times when they are asked
to by --count. Instructions of the system are not counted.
"""

import json
import re
import subprocess
import sys

ELSEWHERE = ["may", "go"]
"""These work where callgrind does not follow: it counts on the thread that asks it to."""


def main(output, *programs):
    counts = {}
    for program in programs:
        for row, elements, contestant in countable(program):
            if contestant in ELSEWHERE:
                continue
            # Enough that those of the loop around do not matter.
            iterations = max(1, 1000 // int(elements))
            each = count(program, iterations, row, contestant) / int(elements)
            counts.setdefault(row, {})[contestant] = each
            print(f"{row:45} {contestant:32} {each:10.1f}", flush=True)
    with open(output, "w") as file:
        json.dump(counts, file, indent=1)


def countable(program):
    listing = subprocess.run([program, "--count"], capture_output=True, text=True, check=True).stdout
    return [line.split("\t") for line in listing.splitlines()]


def count(program, iterations, row, contestant):
    """Of one iteration."""
    valgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", "--instr-atstart=no"]
    command = [*valgrind, program, "--count", str(iterations), row, contestant]
    run = subprocess.run(command, capture_output=True, text=True)
    # A child that could not become another program says so as well, and earlier.
    collected = re.findall(r"Collected : (\d+)", run.stderr)
    if run.returncode != 0 or not collected:
        sys.exit(f"{' '.join(command)} failed:\n{run.stderr}")
    return int(collected[-1]) / iterations


main(*sys.argv[1:])
