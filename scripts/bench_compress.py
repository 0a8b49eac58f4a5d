#!/usr/bin/env python3
"""Times the post-processor `compress` side by side with the usual tools on the same file; prints ratios.

    scripts/bench_compress.py [--rpk PATH] [--rounds N] [--megabytes N] [FORM ...]

Forms (all unless some are named): gz (against pigz), bgzf (bgzip), lz4 (lz4), xz (xz -T0), bzip2 (pbzip2), zip (zip).
zstd -T0 is timed beside gz, for it makes another form.

The file is half text, half of what machine images are full of: programs. rpk's time is that of the post-processor's
node alone, as its own log of events gives it; the two of a pair run in turn. Results are unpacked and compared once.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

PEERS = {
    "gz": [["pigz", "-k", "-c"], ["zstd", "-q", "-T0", "-c"]],
    "bgzf": [["bgzip", "-@", str(os.cpu_count()), "-c"]],
    "lz4": [["lz4", "-q", "-c"]],
    "xz": [["xz", "-T0", "-k", "-c"]],
    "bzip2": [["pbzip2", "-k", "-c"]],
    "zip": [["zip", "-q", "-"]],
}
UNPACK = {"gz": "gzip -dc", "bgzf": "gzip -dc", "lz4": "lz4 -dc", "xz": "xz -dc", "bzip2": "bzip2 -dc", "zip": "unzip -p"}


def make(path, megabytes):
    """Fills a file with this machine's own programs and texts."""
    wanted = megabytes << 20
    below = lambda top: sorted(os.path.join(at, name) for at, _, names in os.walk(top) for name in names)
    sources, texts = below("/usr/bin"), below("/usr/share/doc") + below("/usr/bin")
    with open(path, "wb") as out:
        for names, share in ((sources, wanted // 2), (texts, wanted)):
            while out.tell() < share:
                for name in names:
                    if os.path.isfile(name) and os.access(name, os.R_OK):
                        with open(name, "rb") as file:
                            out.write(file.read(8 << 20))
                    if out.tell() >= share:
                        break
        out.truncate(wanted)


def timed(command, folder, output=None):
    began = time.perf_counter()
    ended = subprocess.run(command, cwd=folder, stdout=output or subprocess.PIPE, stderr=subprocess.PIPE,
                           env=dict(os.environ, RPK_CACHE_DIR=os.path.join(folder, "cache")))
    took = time.perf_counter() - began
    if ended.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with {ended.returncode}:\n{ended.stderr.decode()}")
    return took


def digest(command, folder):
    ended = subprocess.run(["sh", "-c", f"{command} | sha256sum"], cwd=folder, capture_output=True, text=True)
    return ended.stdout.split()[0]


def measure(rpk, form, rounds, folder):
    template = {"builders": [{"type": "file", "source": "data", "target": "copy"}],
                "post-processors": [[{"type": "artifice", "files": ["data"]},
                                     {"type": "compress", "output": f"out.{form}", "keep_input_artifact": True}]]}
    bare = {"builders": template["builders"], "post-processors": [[{"type": "artifice", "files": ["data"]}]]}
    for name, document in (("pack.json", template), ("bare.json", bare)):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            json.dump(document, file)
    flags = ["apply", "-no-cache", "-force"]
    for peer in PEERS[form]:
        if shutil.which(peer[0]) is None:
            print(f"{form:<6} {peer[0]}: not installed")
            continue
        ours, theirs = [], []
        for _ in range(rounds):
            # What a run takes without packing is not the post-processor's.
            without = timed([rpk, *flags, "bare.json"], folder)
            ours.append(timed([rpk, *flags, "pack.json"], folder) - without)
            with open(os.path.join(folder, "peer"), "wb") as out:
                theirs.append(timed([*peer, "data"], folder, out))
        sizes = [os.path.getsize(os.path.join(folder, name)) for name in (f"out.{form}", "peer")]
        ratios = sorted(a / b for a, b in zip(ours, theirs))
        middle = statistics.median
        print(f"{form:<6} against {peer[0]:<7} time ratio {ratios[0]:5.2f} {middle(ratios):5.2f} {ratios[-1]:5.2f}   "
              f"rpk {middle(ours):6.2f} s {sizes[0] >> 20:4} MiB   peer {middle(theirs):6.2f} s {sizes[1] >> 20:4} MiB",
              flush=True)
    if digest(f"{UNPACK[form]} out.{form}", folder) != digest("cat data", folder):
        sys.exit(f"{form}: what comes out is not what went in")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rpk", default="target/release/rpk")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--megabytes", type=int, default=300)
    parser.add_argument("forms", nargs="*", choices=[*PEERS, []], default=list(PEERS))
    arguments = parser.parse_args()
    rpk = os.path.abspath(arguments.rpk)
    with tempfile.TemporaryDirectory(prefix="rpk-bench-") as folder:
        make(os.path.join(folder, "data"), arguments.megabytes)
        for form in arguments.forms:
            measure(rpk, form, arguments.rounds, folder)


if __name__ == "__main__":
    main()
