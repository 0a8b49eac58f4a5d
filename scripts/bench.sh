#!/usr/bin/env bash
#
# Times one cold build of a small Docker template with rpk, with Packer and with bare Docker API calls.
#
# Usage: scripts/bench.sh [ROUNDS]      (10 rounds where no number is given)
#
# RPK_BIN names the binary to measure; without it rpk is built first. Not a part of the tests: the numbers are only
# worth reading on a machine that does nothing else.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

if [[ -z ${RPK_BIN:-} ]]; then
  need_cargo
  (cd "$root" && cargo build --release --locked)
  RPK_BIN="${CARGO_TARGET_DIR:-$root/target}/release/rpk"
fi
RPK_BIN=$(realpath "$RPK_BIN")
[[ -x $RPK_BIN ]] || die "$RPK_BIN is not a program"

need python3
need packer
"$root/scripts/base-images.sh" debian

exec python3 "$root/scripts/bench_docker.py" --rpk "$RPK_BIN" --rounds "${1:-10}"
