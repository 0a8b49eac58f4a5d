#!/usr/bin/env python3
"""Times what the cache is for, side by side with what it is compared with; prints ratios.

    scripts/bench_cache.py [--rpk PATH] [--rounds N] [MEASUREMENT ...]

Measurements (all unless some are named):

nothing   an apply with nothing to do, against `docker build` with everything cached, and against what Packer takes
cold      a build from nothing that keeps results and states, against the same with -no-cache
last      an apply after the last of ten provisioners changed, against that provisioner's time and one bare commit
eight     eight builds at once, against the bare API calls for the same eight at once
trivial   10,000 nodes that run `true`, against ninja with as many edges and the same parallelism

The two of a pair run in turn, so that whatever else the machine does meets both. Needs a Docker Engine with the image
rpk-test/debian (scripts/engine.sh, scripts/base-images.sh), docker's client, packer and ninja.
"""

import argparse
import concurrent.futures
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

IMAGE = "rpk-test/debian"


def run(command, folder, cache=None):
    environment = dict(os.environ, CHECKPOINT_DISABLE="1", DOCKER_BUILDKIT="0")
    if cache is not None:
        environment["RPK_CACHE_DIR"] = cache
    began = time.perf_counter()
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    took = time.perf_counter() - began
    if ended.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with {ended.returncode}:\n{ended.stdout}\n{ended.stderr}")
    return took


def docker(*words):
    ended = subprocess.run(["docker", *words], capture_output=True, text=True)
    if ended.returncode != 0:
        sys.exit(f"docker {' '.join(words)}: {ended.stderr}")
    return ended.stdout.strip()


def template(lines, builds=1, driver=None):
    builders = [{"type": "docker", "name": f"b{at}", "image": IMAGE, "commit": True, "changes": ["EXPOSE 80"]}
                for at in range(builds)]
    if driver == "packer":
        for builder in builders:
            builder["pull"] = False
    return {"builders": builders, "provisioners": [{"type": "shell", "inline": [line]} for line in lines]}


def write(folder, name, document):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(document if isinstance(document, str) else json.dumps(document))
    return name


def told(name, ours, theirs):
    ratios = [a / b for a, b in zip(ours, theirs)]
    middle = statistics.median
    print(f"{name:<44} ratio {min(ratios):6.3f} {middle(ratios):6.3f} {max(ratios):6.3f}   "
          f"rpk {middle(ours) * 1000:9.1f} ms   peer {middle(theirs) * 1000:9.1f} ms", flush=True)


def lines_of(count, seconds, last):
    lines = [f"sleep {seconds}; echo {at} > /step{at}" for at in range(count - 1)]
    return lines + [f"sleep {seconds}; echo {last} > /last"]


def nothing(rpk, rounds, folder):
    cache = os.path.join(folder, "cache-nothing")
    lines = lines_of(10, 0, "x")
    name = write(folder, "nothing.json", template(lines))
    os.makedirs(os.path.join(folder, "context"))
    write(folder, "context/Dockerfile", f"FROM {IMAGE}\n" + "".join(f"RUN {line}\n" for line in lines))
    write(folder, "packer.json", template(lines, driver="packer"))
    apply, build = [rpk, "apply", name], ["docker", "build", "-q", "context"]
    packer = ["packer", "build", "packer.json"]
    run(apply, folder, cache), run(build, folder)
    pairs = [(run(apply, folder, cache), run(build, folder)) for _ in range(rounds)]
    told("nothing to do / docker build, all cached", *zip(*pairs))
    pairs = [(run(apply, folder, cache), run(packer, folder)) for _ in range(2)]
    told("nothing to do / packer build", *zip(*pairs))


def cold(rpk, rounds, folder):
    for seconds in (0, 0.3, 1):
        name = write(folder, "cold.json", template(lines_of(10, seconds, "x")))
        pairs = []
        for turn in range(rounds):
            cache = os.path.join(folder, f"cache-cold-{seconds}-{turn}")
            pairs.append((run([rpk, "apply", name], folder, cache),
                          run([rpk, "apply", "-no-cache", name], folder, os.path.join(folder, "cache-none"))))
        told(f"from nothing, ten of {seconds} s / -no-cache", *zip(*pairs))


def commit_cost():
    container = docker("run", "-d", IMAGE, "sleep", "60")
    docker("exec", container, "sh", "-c", "echo x > /x")
    began = time.perf_counter()
    image = docker("commit", container)
    took = time.perf_counter() - began
    docker("rm", "-f", container)
    docker("rmi", image)
    return took


def last(rpk, rounds, folder):
    cache = os.path.join(folder, "cache-last")
    name = write(folder, "last.json", template(lines_of(10, 1, "first")))
    run([rpk, "apply", name], folder, cache)
    pairs = []
    for turn in range(rounds):
        write(folder, "last.json", template(lines_of(10, 1, f"turn {turn}")))
        container = docker("run", "-dit", "--entrypoint=/bin/sh", IMAGE)
        began = time.perf_counter()
        docker("exec", container, "sh", "-c", "sleep 1; echo x > /last")
        provisioner = time.perf_counter() - began
        docker("rm", "-f", container)
        pairs.append((run([rpk, "apply", name], folder, cache), provisioner + commit_cost()))
    told("last of ten changed / it and a commit", *zip(*pairs))


def bare_build(at):
    container = docker("run", "-dit", "--entrypoint=/bin/sh", IMAGE)
    docker("exec", container, "sh", "-c", f"sleep 0.5; echo {at} > /x")
    docker("commit", "-c", "EXPOSE 80", container)
    docker("rm", "-f", container)


def eight(rpk, rounds, folder):
    name = write(folder, "eight.json", template(["sleep 0.5; echo x > /x"], builds=8))
    pairs = []
    for _ in range(rounds):
        ours = run([rpk, "apply", "-no-cache", name], folder, os.path.join(folder, "cache-eight"))
        began = time.perf_counter()
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(bare_build, range(8)))
        pairs.append((ours, time.perf_counter() - began))
    told("eight builds at once / docker's client", *zip(*pairs))


def trivial(rpk, rounds, folder):
    document = {"builders": [{"type": "null", "name": f"b{at}", "communicator": "none"} for at in range(1000)],
                "provisioners": [{"type": "shell-local", "inline": ["true"]} for _ in range(10)]}
    name = write(folder, "trivial.json", document)
    edges = "".join(f"build o{at}: t\n" for at in range(10000))
    write(folder, "build.ninja", "rule t\n command = true\n" + edges)
    jobs = os.cpu_count()
    pairs = [(run([rpk, "apply", f"-parallel-builds={jobs}", name], folder, os.path.join(folder, "cache-trivial")),
              run(["ninja", "-j", str(jobs)], folder)) for _ in range(max(1, rounds // 2))]
    told(f"10,000 times `true` / ninja -j {jobs}", *zip(*pairs))


def main():
    measurements = {"nothing": nothing, "cold": cold, "last": last, "eight": eight, "trivial": trivial}
    parser = argparse.ArgumentParser(description="times what the cache is for")
    parser.add_argument("--rpk", default="target/release/rpk")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("measurement", nargs="*", choices=[[], *measurements])
    arguments = parser.parse_args()
    rpk = os.path.abspath(arguments.rpk)
    folder = tempfile.mkdtemp(prefix="rpk-bench-")
    print("ratio: least, median, greatest; times: medians")
    try:
        for name in arguments.measurement or measurements:
            measurements[name](rpk, arguments.rounds, folder)
    finally:
        for cache in (entry.path for entry in os.scandir(folder) if entry.name.startswith("cache-")):
            run([rpk, "cache", "prune", "-all"], folder, cache)
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
