#!/usr/bin/env python3
"""Times large uploads and downloads of the provisioner `file` side by side with scp and docker cp; prints ratios.

    scripts/bench_transfer.py [--rpk PATH] [--rounds N] [--megabytes N] [WAY ...]

Ways (all unless some are named): scp and sftp (against an sshd that this script starts, and its own scp), docker
(against docker cp). Needs root for sshd, and an engine with the image rpk-test/busybox for docker.

rpk's time is that of the provisioner's node alone, as its own log of events gives it; the two of a pair run in turn,
on the same file. Beside it stands the largest memory that rpk had. Results are compared byte by byte, once.
"""

import argparse
import atexit
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time


IMAGE = "rpk-test/busybox"


def run(command, **options):
    ended = subprocess.run(command, capture_output=True, text=True, **options)
    if ended.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with {ended.returncode}:\n{ended.stdout}{ended.stderr}")
    return ended.stdout


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Sshd:
    """A server of this script's own, for the user who runs it."""

    def __init__(self, folder):
        self.port, self.id = free_port(), os.path.join(folder, "id")
        for name in ("host", "id"):
            run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", os.path.join(folder, name)])
        shutil.copy(self.id + ".pub", os.path.join(folder, "keys"))
        config = os.path.join(folder, "sshd_config")
        with open(config, "w", encoding="utf-8") as file:
            file.write(f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile none\n"
                       f"AuthorizedKeysFile {folder}/keys\nStrictModes no\nPermitRootLogin yes\n"
                       "Subsystem sftp internal-sftp\n")
        os.makedirs("/run/sshd", exist_ok=True)
        self.child = subprocess.Popen(["/usr/sbin/sshd", "-D", "-f", config, "-E", os.path.join(folder, "log")])
        atexit.register(self.child.kill)
        time.sleep(1)

    def builder(self, method):
        return {"type": "null", "ssh_host": "127.0.0.1", "ssh_port": self.port, "ssh_username": os.environ["USER"],
                "ssh_private_key_file": self.id, "ssh_file_transfer_method": method}

    def copy(self, source, target, is_upload, method):
        there = f"{os.environ['USER']}@127.0.0.1:"
        source, target = (source, there + target) if is_upload else (there + source, target)
        old = ["-O"] if method == "scp" else []
        return ["scp", "-q", *old, "-P", str(self.port), "-i", self.id, "-c", "aes128-gcm@openssh.com",
                "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", source, target]


class Docker:
    """A container for `docker cp`; rpk makes its own of the same image."""

    def __init__(self):
        self.name = f"rpk-transfer-{os.getpid()}"
        run(["docker", "run", "-d", "--name", self.name, IMAGE, "sleep", "100000"])

    def builder(self, _):
        return {"type": "docker", "image": IMAGE, "discard": True}

    def copy(self, source, target, is_upload, _):
        there = f"{self.name}:"
        source, target = (source, there + target) if is_upload else (there + source, target)
        return ["docker", "cp", source, target]

    def stop(self):
        run(["docker", "rm", "-f", self.name])


# Prints what the largest process below it took, in KB.
PEAK = """import resource, subprocess, sys
status = subprocess.run(sys.argv[1:]).returncode
print("peak", resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(status)"""


def timed(command):
    began = time.perf_counter()
    run(command)
    return time.perf_counter() - began


def apply(rpk, builder, provisioners, folder):
    """Applies a template; returns the seconds of its last provisioner and the largest memory of rpk in MB."""
    template = os.path.join(folder, "transfer.json")
    with open(template, "w", encoding="utf-8") as file:
        json.dump({"builders": [builder], "provisioners": provisioners}, file)
    environment = dict(os.environ, RPK_CACHE_DIR=os.path.join(folder, "cache"))
    words = [sys.executable, "-c", PEAK, rpk, "apply", "-no-cache", "-format", "json", template]
    out = run(words, env=environment)
    events = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    took = [event["duration_s"] for event in events
            if event["event"] == "node_finished" and "/provision/" in event["node"]]
    return took[-1], int(re.search(r"^peak (\d+)", out, re.M)[1]) // 1024


def measure(rpk, way, peer, rounds, folder, data):
    inside, back = "/tmp/rpk-transfer-data", os.path.join(folder, "back")
    size = os.path.getsize(data) / 1e6
    up = {"type": "file", "source": data, "destination": inside}
    down = {"type": "file", "direction": "download", "source": inside, "destination": back}
    for name, is_upload in (("up", True), ("down", False)):
        ours, theirs, peaks = [], [], []
        for _ in range(rounds):
            # A container of rpk's own is empty at first.
            steps = [up] if is_upload else [up, down] if way == "docker" else [down]
            took, peak = apply(rpk, peer.builder(way), steps, folder)
            ours.append(took)
            peaks.append(peak)
            source, target = (data, inside) if is_upload else (inside, os.path.join(folder, "peer"))
            theirs.append(timed(peer.copy(source, target, is_upload, way)))
        ratios = sorted(theirs_ / ours_ for ours_, theirs_ in zip(ours, theirs))
        middle = statistics.median
        print(f"{way:<6} {name:<4} speed ratio {ratios[0]:5.2f} {middle(ratios):5.2f} {ratios[-1]:5.2f}   "
              f"rpk {middle(ours):6.2f} s {size / middle(ours):6.0f} MB/s   "
              f"peer {middle(theirs):6.2f} s {size / middle(theirs):6.0f} MB/s   memory {max(peaks)} MB", flush=True)
    run(["cmp", data, back])
    for path in (back, os.path.join(folder, "peer")):
        os.remove(path)
    if way != "docker":
        os.remove(inside)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rpk", default="target/release/rpk")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--megabytes", type=int, default=2048)
    parser.add_argument("ways", nargs="*", default=["scp", "sftp", "docker"])
    arguments = parser.parse_args()
    rpk = os.path.abspath(arguments.rpk)
    os.environ.setdefault("USER", "root")
    with tempfile.TemporaryDirectory(prefix="rpk-transfer-") as folder:
        data = os.path.join(folder, "data")
        with open(data, "wb") as file:
            for _ in range(arguments.megabytes):
                file.write(os.urandom(1 << 20))
        for way in arguments.ways:
            if way == "docker":
                container = Docker()
                try:
                    measure(rpk, way, container, arguments.rounds, folder, data)
                finally:
                    container.stop()
            else:
                measure(rpk, way, Sshd(tempfile.mkdtemp(dir=folder)), arguments.rounds, folder, data)


if __name__ == "__main__":
    main()
