#!/usr/bin/env python3
"""Compares how long rpk takes to plan a template with how long ninja takes for a build file with as many nodes.

    scripts/bench_plan.py [--rpk PATH] [--rounds N] [BUILDERS ...]

Each template has BUILDERS null builders (default: 1000 and 10000) and nine provisioners, which makes 11 nodes a
builder; the build file for `ninja -n` has a chain of 11 edges a builder. The two run in turn, so that whatever else
the machine does meets both; printed are the ratios and times of all rounds: least, median, greatest.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

PROVISIONERS = 9


def template(builders, flavour):
    names = [f"b{index:05}" for index in range(builders)]
    provisioners = []
    for index in range(PROVISIONERS):
        line = f"echo {index} {{{{user `tag`}}}}" if flavour == "variables" else f"echo {index}"
        provisioners.append({"type": "shell-local", "inline": [line, "true"]})
    return json.dumps({
        "variables": {"tag": "1"},
        "builders": [{"type": "null", "name": name, "communicator": "none"} for name in names],
        "provisioners": provisioners,
    })


def build_file(builders):
    lines = ["rule run", "  command = true $in $out"]
    for builder in range(builders):
        before = ""
        for index in range(PROVISIONERS + 2):
            name = f"b{builder:05}.{index}"
            lines.append(f"build {name}: run {before}")
            before = name
    return "\n".join(lines) + "\n"


def timed(command, folder):
    """Runs a command; returns its seconds and its greatest memory in bytes."""
    began = time.perf_counter()
    with open(os.devnull, "wb") as nowhere:
        process = subprocess.Popen(command, cwd=folder, stdout=nowhere)
        _, status, usage = os.wait4(process.pid, 0)
    took = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}")
    return took, usage.ru_maxrss * 1024


def spread(values, scale=1.0, unit=""):
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{low * scale:8.2f} {middle * scale:8.2f} {high * scale:8.2f}{unit}"


def compare(rpk, builders, flavour, form, rounds, folder):
    nodes = builders * (PROVISIONERS + 2)
    with open(os.path.join(folder, "t.json"), "w", encoding="utf-8") as file:
        file.write(template(builders, flavour))
    with open(os.path.join(folder, "build.ninja"), "w", encoding="utf-8") as file:
        file.write(build_file(builders))
    ours_command = [rpk, "plan", f"-format={form}", "t.json"]
    theirs_command = ["ninja", "-n"]
    timed(ours_command, folder), timed(theirs_command, folder)
    ours, theirs, memory = [], [], 0
    for _ in range(rounds):
        took, used = timed(ours_command, folder)
        ours.append(took)
        memory = max(memory, used)
        theirs.append(timed(theirs_command, folder)[0])
    _, base = timed([rpk, "version"], folder)
    print(f"{nodes} nodes, {flavour}, -format={form}: least, median, greatest of {rounds} rounds")
    print(f"  rpk plan    {spread(ours, 1000, ' ms')}")
    print(f"  ninja -n    {spread(theirs, 1000, ' ms')}")
    print(f"  ratio       {spread([a / b for a, b in zip(ours, theirs)])}")
    print(f"  memory      {(memory - base) / nodes:8.0f} bytes a node ({memory / 1e6:.0f} MB in all)", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rpk", default="target/release/rpk")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("builders", type=int, nargs="*", default=[1000, 10000])
    options = parser.parse_args()
    rpk = os.path.abspath(options.rpk)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with tempfile.TemporaryDirectory(prefix="rpk-bench-") as folder:
        for builders in options.builders:
            for flavour in ("plain", "variables"):
                compare(rpk, builders, flavour, "text", options.rounds, folder)
            compare(rpk, builders, "plain", "json", options.rounds, folder)


if __name__ == "__main__":
    main()
