#!/usr/bin/env bash
#
# From a clone to a served web page: builds rpk, plans and applies a real template, and runs the image it made.
#
# Usage: scripts/demo.sh [--rpk PATH]
#
#   --rpk PATH    use this binary instead of building rpk
#
# The template is fixtures/express/packet.json: on the image `node` it installs curl, downloads the tarball of a small
# express app, runs `npm install`, and tags the result `la/express`. The container listens on port 80, or on a free
# port where 80 is taken, and keeps running; running the demo again replaces it.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

container="rpk-express-demo"
image=la/express:0.0.1
case_dir="$root/fixtures/express"
# What the template's default of `app_url` says: the gateway of Docker's default bridge, and this port.
default_address=172.17.0.1
default_port=8090
rpk=""

while [[ $# -gt 0 ]]; do
  case $1 in
    --rpk) rpk=$(realpath "${2:?--rpk needs a path}"); shift 2 ;;
    -h | --help) sed -n '3,/^set /{/^#/s/^# \{0,1\}//p}' "$0"; exit 0 ;;
    *) die "unknown argument \`$1\`; see --help" ;;
  esac
done

# Shows a command as it would be typed, then runs it.
run() {
  printf '\n$ %s\n' "$*"
  "$@"
}

port_is_free() {
  python3 - "$1" "$2" <<'PYTHON'
import socket, sys
with socket.socket() as probe:
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind((sys.argv[1], int(sys.argv[2])))
    except OSError:
        sys.exit(1)
PYTHON
}

free_port() {
  python3 -c 'import socket, sys; s = socket.socket(); s.bind((sys.argv[1], 0)); print(s.getsockname()[1])' "$1"
}

# Fetches a page: `fetch URL [SECONDS]`. Loopback and bridge addresses are never behind a proxy.
fetch() {
  curl --noproxy '*' --silent --show-error --fail --max-time "${2:-5}" "$1"
}

# Prints this machine's address as containers see it.
#
# A container is asked, since `docker network inspect bridge` shows no gateway until the engine's second start.
gateway() {
  local probe
  probe=$(docker run --detach --entrypoint /bin/sh node -c 'sleep 60')
  docker inspect --format '{{.NetworkSettings.Gateway}}' "$probe"
  docker rm --force "$probe" >/dev/null
}

# Copies the app into a folder; vendors its packages where this machine reaches the npm registry but a container
# does not, so that the template's `npm install` finds everything in place and asks for nothing.
copy_app() {
  local copy=$1
  cp -r "$case_dir/app" "$copy"
  if timeout 120 docker run --rm --entrypoint /bin/sh node -c 'npm view --fetch-retries=0 express version' \
    >"$work/npm.log" 2>&1; then
    return 0
  fi
  tail -n 5 "$work/npm.log" >&2
  say "a container cannot reach the npm registry: packing the app with packages that this machine fetches"
  has npm || die "a container cannot reach the npm registry, and this machine has no npm to fetch the packages with"
  (cd "$copy" && npm install --no-audit --no-fund >&2) || die "this machine cannot reach the npm registry either"
  printf 'offline=true\naudit=false\n' >"$copy/.npmrc"
}

work=$(mktemp -d "${TMPDIR:-/tmp}/rpk-demo.XXXXXX")
server=""
cleanup() {
  [[ -z $server ]] || kill "$server" 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT

need python3
need curl

if [[ -z $rpk ]]; then
  need_cargo
  say "building rpk"
  (cd "$root" && cargo build --release --locked)
  rpk="${CARGO_TARGET_DIR:-$root/target}/release/rpk"
fi
[[ -x $rpk ]] || die "$rpk is not a program"

"$root/scripts/engine.sh"
"$root/scripts/base-images.sh" node

address=$(gateway)
[[ -n $address ]] || die "Docker's default bridge has no gateway address to serve the app from"
port=$default_port
port_is_free "$address" 0 || die "$address is no address of this machine: the demo needs an engine that runs here"
port_is_free "$address" "$port" || port=$(free_port "$address")

say "serving the app's tarball at http://$address:$port/"
mkdir "$work/served"
copy_app "$work/app"
tar --create --gzip --file="$work/served/express-app.tar.gz" --owner=0 --group=0 --directory="$work/app" .
python3 -m http.server --bind "$address" --directory "$work/served" "$port" >"$work/server.log" 2>&1 &
server=$!
for _ in $(seq 50); do
  fetch "http://$address:$port/express-app.tar.gz" >/dev/null 2>&1 && break
  kill -0 "$server" 2>/dev/null || { cat "$work/server.log" >&2; die "the HTTP server did not start"; }
  sleep 0.1
done

variables=(-var 'tag=0.0.1')
if [[ $address:$port != "$default_address:$default_port" ]]; then
  variables+=(-var "app_url=http://$address:$port/express-app.tar.gz")
fi

cd "$case_dir"
PATH="$(dirname "$rpk"):$PATH"
run "$(basename "$rpk")" validate packet.json || die "validate failed"
run "$(basename "$rpk")" plan packet.json || die "plan failed"
run "$(basename "$rpk")" apply "${variables[@]}" packet.json || die "apply failed"

docker rm --force "$container" >/dev/null 2>&1 || true
web_port=80
port_is_free 0.0.0.0 "$web_port" || web_port=$(free_port 0.0.0.0)
run docker run -dt --name "$container" -p "$web_port:3000" --entrypoint /usr/local/bin/node \
  "$image" /var/code/bin/www || die "the container did not start"

url="http://127.0.0.1"
[[ $web_port -eq 80 ]] || url="$url:$web_port"
url="$url/"
page=""
for _ in $(seq 100); do
  page=$(fetch "$url" 2>/dev/null) && break
  sleep 0.2
done
if [[ $page != *rpk* ]]; then
  docker logs "$container" >&2 || true
  die "no page at $url"
fi

# shellcheck disable=SC2016  # the dollar stands for a prompt
printf '\n$ curl %s\n' "$url"
sed '/<style>/,/<\/style>/d' <<<"$page" | sed -n '1,12p'
printf '...\n\nThe page is at %s\nTo stop it: docker rm -f %s\n' "$url" "$container"
