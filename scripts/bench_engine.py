#!/usr/bin/env python3
"""Times the engine within rpk beside bare Docker API calls for the same work, and prints ratios.

Both start from `rpk-test/debian`: Docker has it, rpk takes it in from a file, once, before anything is timed. They
take turns within each round; ratios are taken within a round, and their median is printed with the target.

Usage: scripts/bench_engine.py [--rpk target/release/rpk] [--rounds 7]

Needs root, Docker and the image; `scripts/base-images.sh debian` makes it.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from bench_docker import BASE, PROVISIONERS, Engine, EngineError, socket_path

TEN = [[f"mkdir -p /srv/{n}", f"echo {n} > /srv/{n}/file"] for n in range(10)]


class Bench:
    """The jobs, each in two ways."""

    def __init__(self, rpk, folder):
        self.rpk = rpk
        self.folder = folder
        self.base = folder / "base.tar"
        self.cache = folder / "cache"
        self.number = 0
        subprocess.run(["docker", "save", "-o", str(self.base), BASE], check=True)

    def build(self, provisioners, *post_processors, flags=(), cache=None):
        """Applies a template; returns how long that took."""
        self.number += 1
        path = self.folder / f"{self.number}-{threading.get_ident()}.json"
        path.write_text(json.dumps({
            "builders": [{"type": "docker", "image": f"docker-archive:{self.base}", "commit": True,
                          "changes": ["EXPOSE 3000"]}],
            "provisioners": [{"type": "shell", "inline": lines} for lines in provisioners],
            "post-processors": [list(post_processors)] if post_processors else [],
        }))
        environment = dict(os.environ, RPK_CACHE_DIR=str(cache or self.cache), RPK_ENGINE="embedded", NO_COLOR="1")
        start = time.perf_counter()
        done = subprocess.run(
            [self.rpk, "apply", *flags, str(path)], cwd=self.folder, env=environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )
        elapsed = time.perf_counter() - start
        if done.returncode != 0:
            raise EngineError(done.stdout.decode())
        return elapsed

    def bare(self, provisioners, save=None, commits=False):
        """Does the same by API calls; returns how long that took."""
        engine = Engine(socket_path())
        start = time.perf_counter()
        created = engine.call("POST", "/containers/create", {
            "Image": BASE, "Entrypoint": ["/bin/sh"], "OpenStdin": True, "Tty": True,
        })["Id"]
        images = []
        try:
            engine.call("POST", f"/containers/{created}/start")
            for lines in provisioners:
                engine.exec(created, ["/bin/sh", "-e", "-c", "\n".join(lines)])
                if commits:
                    images.append(engine.call("POST", "/commit", {}, container=created)["Id"])
            images.append(engine.call("POST", "/commit", {}, container=created, changes="EXPOSE 3000")["Id"])
            if save:
                subprocess.run(["docker", "save", "-o", str(save), images[-1]], check=True)
        finally:
            engine.call("DELETE", f"/containers/{created}", force="true", v="true")
        elapsed = time.perf_counter() - start
        for image in reversed(images):
            engine.call("DELETE", f"/images/{image}", force="true")
        return elapsed

    def unique(self, lines):
        """Makes provisioners that no cache has seen."""
        self.number += 1
        return [[*some, f"# {self.number} {time.time()}"] for some in lines]

    def cold(self):
        return self.build(self.unique(PROVISIONERS)), self.bare(PROVISIONERS, commits=True)

    def with_archive(self):
        ours = self.build(self.unique(PROVISIONERS), {"type": "docker-save", "path": "ours.tar"})
        return ours, self.bare(PROVISIONERS, save=self.folder / "theirs.tar", commits=True)

    def last_of_ten(self):
        self.build(TEN)
        return self.build([*TEN[:9], *self.unique(TEN[9:])]), self.bare(TEN)

    def one_command(self):
        """Takes the difference between builds of 21 and of 1 short provisioners: start and end count for neither."""
        few, many = [["true"]], [["true"]] * 21
        ours = (self.build(self.unique(many)) - self.build(self.unique(few))) / 20
        theirs = (self.bare(many) - self.bare(few)) / 20
        return ours, theirs

    def eight_at_once(self):
        def all_at_once(work):
            threads = [threading.Thread(target=work) for _ in range(8)]
            start = time.perf_counter()
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            return time.perf_counter() - start

        ours = all_at_once(lambda: self.build(self.unique(PROVISIONERS)))
        return ours, all_at_once(lambda: self.bare(PROVISIONERS, commits=True))

    def nothing_to_do(self):
        self.build(TEN)
        return self.build(TEN), self.bare(TEN)

    def import_base(self):
        with tempfile.TemporaryDirectory(dir=self.folder) as cache:
            ours = self.build([], cache=cache)
        copy = self.folder / "copy"
        subprocess.run(["docker", "export", "-o", str(copy), self.made()], check=True)
        start = time.perf_counter()
        done = subprocess.run(["docker", "import", str(copy)], check=True, capture_output=True, text=True)
        theirs = time.perf_counter() - start
        subprocess.run(["docker", "rmi", done.stdout.strip()], check=True, capture_output=True)
        return ours, theirs

    def made(self):
        """Returns a container of the base, made once."""
        name = f"rpk-bench-{os.getpid()}"
        subprocess.run(["docker", "create", "--name", name, BASE], capture_output=True)
        return name


JOBS = [
    ("cold build, a state after each provisioner", Bench.cold, 0.20),
    ("the same with an archive written", Bench.with_archive, 0.30),
    ("one provisioner more", Bench.one_command, 0.05),
    ("rebuild after the last of ten changed", Bench.last_of_ten, 0.20),
    ("eight cold builds at once", Bench.eight_at_once, 0.20),
    ("nothing to do, beside ten provisioners", Bench.nothing_to_do, 0.05),
    ("import of the base", Bench.import_base, 1.0),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rpk", default="target/release/rpk")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    rpk = str(Path(arguments.rpk).resolve())
    misses = 0
    with tempfile.TemporaryDirectory(prefix="rpk-bench-engine.") as folder:
        bench = Bench(rpk, Path(folder))
        try:
            for name, job, target in JOBS:
                rounds = [job(bench) for _ in range(arguments.rounds + 1)][1:]
                ratio = statistics.median(ours / theirs for ours, theirs in rounds)
                ours, theirs = (statistics.median(times) for times in zip(*rounds))
                verdict = "" if ratio <= target else "  MISSED"
                misses += ratio > target
                print(f"{name:<45} {ours * 1000:8.1f} ms {theirs * 1000:8.1f} ms  {ratio:.3f} (target {target}){verdict}",
                      flush=True)
        finally:
            subprocess.run(["docker", "rm", "-f", f"rpk-bench-{os.getpid()}"], capture_output=True)
    sys.exit(1 if misses else 0)


if __name__ == "__main__":
    main()
