#!/usr/bin/env bash
#
# Makes a Docker Engine reachable: uses the one that answers, else installs Debian's and starts it.
#
# Usage: scripts/engine.sh
#
# An engine that DOCKER_HOST, the Docker context or the default socket reaches is left as it is. Safe to call again
# and by several callers at once. The engine started here outlives the script; `kill "$(cat /run/docker.pid)"` ends it.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

log="${TMPDIR:-/tmp}/rpk-dockerd.log"
lock="${TMPDIR:-/tmp}/rpk-engine.lock"

engine_answers() {
  has docker && timeout 20 docker version --format '{{.Server.Version}}' >/dev/null 2>&1
}

# Waits until the engine answers; gives up early when the process that should answer is gone.
wait_for_engine() {
  local pid=${1:-}
  for _ in $(seq 240); do
    engine_answers && return 0
    [[ -z $pid || -d /proc/$pid ]] || return 1
    sleep 0.25
  done
  return 1
}

# A daemon that was killed leaves its pid file behind. Once the number belongs to another process, dockerd takes
# that one for its own and refuses to start.
forget_dead() {
  local file=$1 name=$2 pid
  [[ -f $file ]] || return 0
  pid=$(cat "$file")
  [[ $(cat "/proc/$pid/comm" 2>/dev/null) == "$name" ]] || as_root rm -f "$file"
}

# Prints the MTU of the interface that leads out. Where it is below 1500 (tunnels, virtual machines), containers
# with Docker's default of 1500 lose their larger packets, and downloads hang after the first few.
uplink_mtu() {
  local interface
  interface=$(awk '$2 == "00000000" { print $1; exit }' /proc/net/route)
  cat "/sys/class/net/$interface/mtu" 2>/dev/null || echo 1500
}

engine_answers && exit 0

# A caller that was second here finds the work done when it gets the lock.
exec 9>"$lock"
flock 9
engine_answers && exit 0

[[ -z ${DOCKER_HOST:-} ]] ||
  die "no engine answers at DOCKER_HOST=$DOCKER_HOST; start it, or unset DOCKER_HOST to use one of this machine"

packages=()
has dockerd || packages+=(docker.io)
has iptables || packages+=(iptables)
if [[ ${#packages[@]} -gt 0 ]]; then
  apt_install "${packages[@]}" ca-certificates
  # Where services start on installation, this one has just been started.
  if pidof dockerd >/dev/null && wait_for_engine; then
    say "the engine that came with docker.io answers"
    exit 0
  fi
fi

if [[ -d /run/systemd/system ]]; then
  as_root systemctl start docker || die "systemd cannot start docker; see \`journalctl -u docker\`"
  wait_for_engine || die "docker runs but does not answer; is $(id -un) allowed to use its socket (group docker)?"
  say "the engine of this machine's docker.service answers"
  exit 0
fi

forget_dead /run/docker.pid dockerd
forget_dead /run/docker/containerd/containerd.pid containerd

options=(--mtu "$(uplink_mtu)")
# Without root the socket has to be the caller's, too.
[[ $(id -u) -eq 0 ]] || options+=(--group "$(id -gn)")

# Its own session, no terminal and no inherited lock: the engine must not end with this script, nor hold others up.
: >"$log"
as_root setsid dockerd "${options[@]}" </dev/null >>"$log" 2>&1 9>&- &
pid=$!
disown "$pid"

if ! wait_for_engine "$pid"; then
  tail -n 20 "$log" >&2
  die "dockerd does not answer; its log is $log"
fi
say "started dockerd (pid $(cat /run/docker.pid 2>/dev/null || echo "$pid"), log $log)"
