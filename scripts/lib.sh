# shellcheck shell=bash
#
# What every script here needs: a voice, and packages when they are absent.
#
# Sourced, never run. Leaves every decision about what to install to the script that sources it.

# The root of the repository, whatever directory the script was called from.
# shellcheck disable=SC2034  # read by the scripts that source this file
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"

# Speaks on standard error, so that standard output stays free for results.
say() {
  printf '%s: %s\n' "$(basename "$0" .sh)" "$*" >&2
}

# Says why the script cannot go on, and ends it.
die() {
  say "$@"
  exit 1
}

has() {
  command -v "$1" >/dev/null 2>&1
}

# Runs a command as root: directly, or through sudo.
as_root() {
  if [[ $(id -u) -eq 0 ]]; then
    "$@"
  elif has sudo; then
    sudo -- "$@"
  else
    die "needs root for \`$*\`, and there is no sudo; run this script as root"
  fi
}

# Fetches the package lists, once in a script's life.
apt_update() {
  [[ -z ${apt_updated:-} ]] || return 0
  has apt-get || die "apt-get is missing: these scripts install what they need on Debian and its relatives only"
  as_root apt-get -qq -o DPkg::Lock::Timeout=300 update >&2 || die "apt-get update failed"
  apt_updated=yes
}

# Installs the named Debian packages, without the ones they merely recommend.
#
# The caller has checked that something is missing: what is there already is left at its version.
apt_install() {
  apt_update
  say "installing $*"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=300 \
    install --no-install-recommends --no-upgrade "$@" >/dev/null || die "cannot install $*"
}

# Makes sure that a command exists: `need COMMAND [PACKAGE]`.
need() {
  has "$1" || apt_install "${2:-$1}"
  has "$1" || die "\`$1\` is still missing after installing ${2:-$1}"
}

# Makes sure that there is a Rust toolchain, which Debian's own packages are too old to give.
need_cargo() {
  if ! has cargo && [[ -x ${CARGO_HOME:-$HOME/.cargo}/bin/cargo ]]; then
    PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
  fi
  has cargo || die "cargo is missing: install a Rust toolchain with rustup (https://rustup.rs), then run this again"
  # Rust programs are linked by the C compiler.
  has cc || apt_install gcc libc6-dev
}
