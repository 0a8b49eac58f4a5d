#!/usr/bin/env bash
#
# Runs every check and every test of rpk, those on real engines included.
#
# Usage: scripts/test.sh
#
# Installs and starts what the tests need where it is absent (a Docker Engine, two small images, Podman, Packer), and
# leaves alone what is there. The closing lines are cargo's own counts.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[[ $# -eq 0 ]] || die "takes no arguments; for single tests call \`cargo test\` yourself"
cd "$root"

# The toolchain. What .cargo/config.toml asks for (a linker, say) is installed here.
need_cargo
cargo fmt --version >/dev/null 2>&1 || die "cargo fmt is missing: \`rustup component add rustfmt\` brings it"
cargo clippy --version >/dev/null 2>&1 || die "cargo clippy is missing: \`rustup component add clippy\` brings it"

# What needs no engine comes first: it fails fastest.
cargo fmt --all --check
cargo clippy --workspace --all-targets --locked -- -D warnings

# The engines. Podman is the second one that speaks Docker's API; Packer 1.6.6 is what results are compared with.
scripts/engine.sh
scripts/base-images.sh debian busybox puppet
need podman
need packer
# What archives and uploads are tested with.
need lz4
need xz xz-utils
need bzip2
need unzip
need curl
need python3
# The server that ssh and SFTP are tested on, and what logs in to it besides. Its users are made by root.
PATH="$PATH:/usr/sbin"
need sshd openssh-server
need ssh openssh-client
need useradd passwd
# What the engine within rpk is tested with.
need docker-registry
need skopeo
if ! has moto_server; then
  # Debian has the module that puts pip into such a folder in a package of its own.
  python3 -m venv target/moto || { apt_install python3-venv && python3 -m venv target/moto; }
  target/moto/bin/pip -q install 'moto[server]' || die "cannot install moto"
  PATH="$root/target/moto/bin:$PATH"
fi
# Podman raises its containers' limits to numbers that some machines deny even to root.
if ! prlimit --nofile=1048576:1048576 --nproc=4194304:4194304 true 2>/dev/null; then
  limits=$(mktemp "${TMPDIR:-/tmp}/rpk-containers.XXXXXX")
  trap 'rm -f "$limits"' EXIT
  printf '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n' >"$limits"
  export CONTAINERS_CONF="$limits"
fi

cargo test --workspace --locked -- --include-ignored
