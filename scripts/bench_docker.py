#!/usr/bin/env python3
"""Times one cold build of a Docker template with rpk, with Packer and with bare Docker API calls.

All three boot `rpk-test/debian`, run two shell provisioners, commit with changes, tag, and remove the container. They
take turns within each round, so that what the machine does meanwhile meets all alike; ratios are taken within a
round. The first round warms up and is checked, not counted.

The bare calls are the floor: one kept-alive connection to the engine's socket, each command in one exec whose
stream is read to its end. Packer gets the script into the container and runs it in calls of its own, as rpk does.

Needs the image and the programs to be there; `scripts/bench.sh` sees to that.
"""

import argparse
import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
from pathlib import Path

BASE = "rpk-test/debian:latest"
REPOSITORY = "rpk-bench"

PROVISIONERS = [
    [
        "mkdir -p /srv/one",
        "for i in $(seq 20); do echo line $i > /srv/one/$i.txt; done",
        "cat /srv/one/*.txt | wc -l > /srv/one/count",
    ],
    [
        "mkdir -p /srv/two",
        "cp -r /srv/one/. /srv/two/",
        "cat /srv/two/*.txt | sort | sha256sum > /srv/two/sum",
    ],
]
CHECK = "cat /srv/one/count; cut -c 1-16 /srv/two/sum"


class EngineError(Exception):
    """The engine answered with an error, or a command in the container failed."""


def socket_path():
    """Returns the path of the engine's Unix socket, from DOCKER_HOST or Docker's context."""
    host = os.environ.get("DOCKER_HOST")
    if not host:
        host = subprocess.run(
            ["docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"],
            check=True, capture_output=True, text=True,
        ).stdout.strip()
    if not host.startswith("unix://"):
        sys.exit(f"bench: needs an engine on a Unix socket, not {host}")
    return host.removeprefix("unix://")


class UnixConnection(http.client.HTTPConnection):
    """An HTTP connection that stays open, over a Unix socket."""

    def __init__(self, path):
        super().__init__("docker")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


class Engine:
    """The few calls of the Docker Engine API that a build consists of."""

    def __init__(self, path):
        self.path = path
        self.connection = UnixConnection(path)

    def call(self, method, path, body=None, **query):
        if query:
            path += "?" + urllib.parse.urlencode(query)
        payload = None if body is None else json.dumps(body).encode()
        headers = {} if body is None else {"Content-Type": "application/json"}
        try:
            self.connection.request(method, path, payload, headers)
            response = self.connection.getresponse()
            data = response.read()
        except BaseException:  # An interrupt, too, leaves the connection in the middle of an answer.
            self.connection.close()
            raise
        if response.status >= 400:
            raise EngineError(f"{method} {path}: {response.status} {data.decode(errors='replace').strip()}")
        return json.loads(data) if data.strip() else None

    def exec(self, container, command):
        """Runs a command, reads its output to the end, and returns that output."""
        created = self.call(
            "POST", f"/containers/{container}/exec",
            {"AttachStdout": True, "AttachStderr": True, "Cmd": command},
        )
        output = self.hijack(f"/exec/{created['Id']}/start", {"Detach": False, "Tty": False})
        state = self.call("GET", f"/exec/{created['Id']}/json")
        while state["Running"]:  # The stream may end a moment before the engine has noted the exit.
            state = self.call("GET", f"/exec/{created['Id']}/json")
        if state["ExitCode"] != 0:
            raise EngineError(f"command exited with status {state['ExitCode']}: {output.decode(errors='replace')}")
        return output

    def hijack(self, path, body):
        """Posts a request whose connection turns into a stream of frames; returns their content."""
        payload = json.dumps(body).encode()
        with socket.socket(socket.AF_UNIX) as stream:
            stream.connect(self.path)
            stream.sendall(
                f"POST {path} HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\n"
                f"Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: {len(payload)}\r\n\r\n".encode() + payload
            )
            reader = stream.makefile("rb")
            status = reader.readline()
            while reader.readline().strip():
                pass
            if b" 101 " not in status:
                raise EngineError(f"POST {path}: {status.decode().strip()} {reader.read().decode(errors='replace')}")
            output = b""
            # A frame: one byte for the stream, three unused, four for the length; then the content.
            while len(header := reader.read(8)) == 8:
                output += reader.read(int.from_bytes(header[4:], "big"))
            return output


class Bench:
    """One template, and the three ways to build it."""

    def __init__(self, rpk, folder):
        self.rpk = rpk
        self.folder = folder
        self.engine = Engine(socket_path())
        self.run_id = f"{os.getpid()}-{int(time.time())}"
        # Names this run's containers: those that were created from this tag.
        self.base = f"{REPOSITORY}/base:{self.run_id}"
        self.label = f"rpk-bench={self.run_id}"
        self.changes = ["EXPOSE 3000", f"LABEL {self.label}"]
        self.engine.call("POST", f"/images/{BASE}/tag", repo=f"{REPOSITORY}/base", tag=self.run_id)
        self.ways = {"rpk": self.build_with_rpk, "packer": self.build_with_packer, "bare": self.build_bare}

    def image(self, way):
        return f"{REPOSITORY}/{way}:{self.run_id}"

    def template(self, way):
        path = self.folder / f"{way}.json"
        path.write_text(json.dumps({
            "builders": [{
                "type": "docker",
                "image": self.base,
                "pull": False,
                "commit": True,
                "changes": self.changes,
            }],
            "provisioners": [{"type": "shell", "inline": lines} for lines in PROVISIONERS],
            "post-processors": [{"type": "docker-tag", "repository": f"{REPOSITORY}/{way}", "tag": self.run_id}],
        }, indent=2))
        return path

    def run(self, way, arguments):
        # A cache of its own, empty, for every build: a cold one is what is measured.
        with tempfile.TemporaryDirectory(dir=self.folder) as cache:
            environment = dict(
                os.environ, RPK_CACHE_DIR=cache, PACKER_CACHE_DIR=cache, CHECKPOINT_DISABLE="1", NO_COLOR="1",
            )
            start = time.perf_counter()
            done = subprocess.run(
                arguments + [str(self.template_of[way])], cwd=self.folder, env=environment,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )
            elapsed = time.perf_counter() - start
        if done.returncode != 0:
            raise EngineError(f"{' '.join(arguments)} exited with {done.returncode}:\n{done.stdout.decode()}")
        return elapsed

    def build_with_rpk(self):
        return self.run("rpk", [self.rpk, "apply", "-no-cache"])

    def build_with_packer(self):
        return self.run("packer", ["packer", "build"])

    def build_bare(self):
        start = time.perf_counter()
        created = self.engine.call("POST", "/containers/create", {
            "Image": self.base, "Entrypoint": ["/bin/sh"], "OpenStdin": True, "Tty": True,
        })
        container = created["Id"]
        try:
            self.engine.call("POST", f"/containers/{container}/start")
            for lines in PROVISIONERS:
                self.engine.exec(container, ["/bin/sh", "-e", "-c", "\n".join(lines)])
            committed = self.engine.call(
                "POST", "/commit", {}, container=container,
                changes="\n".join(self.changes),
            )
            self.engine.call(
                "POST", f"/images/{committed['Id']}/tag", repo=f"{REPOSITORY}/bare", tag=self.run_id,
            )
        finally:
            self.engine.call("DELETE", f"/containers/{container}", force="true", v="true")
        return time.perf_counter() - start

    def check(self, way):
        """Fails unless the image holds what the template says; returns what was found."""
        config = self.engine.call("GET", f"/images/{self.image(way)}/json")["Config"]
        if "3000/tcp" not in (config["ExposedPorts"] or {}):
            raise EngineError(f"{way}: the image does not expose port 3000")
        created = self.engine.call("POST", "/containers/create", {
            "Image": self.image(way), "Entrypoint": ["/bin/sh"], "OpenStdin": True, "Tty": True,
        })
        try:
            self.engine.call("POST", f"/containers/{created['Id']}/start")
            return self.engine.exec(created["Id"], ["/bin/sh", "-e", "-c", CHECK])
        finally:
            self.engine.call("DELETE", f"/containers/{created['Id']}", force="true", v="true")

    def leftovers(self):
        """Returns the containers that this run has left behind, of its base image and of images it made."""
        key, value = self.label.split("=")
        return [
            container["Id"] for container in self.engine.call("GET", "/containers/json", all="true")
            if container["Image"] == self.base or (container["Labels"] or {}).get(key) == value
        ]

    def measure(self, rounds):
        self.template_of = {way: self.template(way) for way in ("rpk", "packer")}
        names = list(self.ways)
        times = {way: [] for way in names}
        for number in range(rounds + 1):
            # Each way goes first as often as the others.
            turn = number % len(names)
            found = {}
            for way in names[turn:] + names[:turn]:
                elapsed = self.ways[way]()
                if number == 0:
                    found[way] = self.check(way)
                else:
                    times[way].append(elapsed)
                self.engine.call("DELETE", f"/images/{self.image(way)}", force="true")
            if len(set(found.values())) > 1:
                raise EngineError(f"the images differ: {found}")
            if containers := self.leftovers():
                raise EngineError(f"a build left its container behind: {', '.join(containers)}")
            print(f"round {number} of {rounds}" if number else "warmed up", file=sys.stderr)
        return times

    def clean_up(self):
        # The engine carries out a call that an interrupt has cut off here, so it gets the time to.
        if sys.exc_info()[0] is not None:
            time.sleep(1)
        for container in self.leftovers():
            self.engine.call("DELETE", f"/containers/{container}", force="true", v="true")
        images = self.engine.call("GET", "/images/json", filters=json.dumps({"label": [self.label]}))
        for image in images:
            self.engine.call("DELETE", f"/images/{image['Id']}", force="true")
        self.engine.call("DELETE", f"/images/{self.base}")


def report(times):
    print(f"{'':8}{'median':>10}{'min':>10}{'max':>10}   seconds, {len(times['bare'])} rounds")
    for way, values in times.items():
        print(f"{way:8}{statistics.median(values):10.3f}{min(values):10.3f}{max(values):10.3f}")
    print()
    for way in ("rpk", "packer"):
        ratios = [mine / bare for mine, bare in zip(times[way], times["bare"])]
        print(f"{way}/bare{'':2}".ljust(14) + f"{statistics.median(ratios):.2f}   (median of the rounds' ratios)")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rpk", required=True, help="the rpk binary to measure")
    parser.add_argument("--rounds", type=int, default=10, help="rounds that count (default: 10)")
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error("--rounds must be at least 1")

    with tempfile.TemporaryDirectory(prefix="rpk-bench.") as folder:
        bench = Bench(arguments.rpk, Path(folder))
        try:
            times = bench.measure(arguments.rounds)
        except (EngineError, KeyboardInterrupt) as error:
            sys.exit(f"bench: {str(error) or 'interrupted'}")
        finally:
            bench.clean_up()
    report(times)


if __name__ == "__main__":
    main()
