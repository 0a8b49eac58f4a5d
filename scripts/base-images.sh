#!/usr/bin/env bash
#
# Makes the images that the demo, the tests and the benchmark start from, where the engine does not have them yet.
#
# Usage: scripts/base-images.sh [node|debian|busybox|puppet ...]       (all of them without an argument)
#
#   node      `node`: pulled; where it cannot be pulled, made of Debian's own nodejs and npm packages
#   debian    `rpk-test/debian`: the smallest Debian that has apt
#   busybox   `rpk-test/busybox`: one static binary and its applets, made in a second
#   puppet    `rpk-test/puppet`: that Debian with its own Puppet and sudo
#
# An image made here reaches package registries the way this machine does: it gets the machine's apt sources, npm
# registry, proxies and certificate authorities. Its file system, without those, is kept under
# ${XDG_CACHE_HOME:-~/.cache}/rpk-test, so that making the image again takes seconds. To have one made anew:
# `docker rmi IMAGE`, and delete that folder for new packages.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cache="${XDG_CACHE_HOME:-$HOME/.cache}/rpk-test"
pull_limit_s=900
bundle=/etc/ssl/certs/ca-certificates.crt
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

image_exists() {
  docker image inspect "$1" >/dev/null 2>&1
}

# Prints the Debian archives that this machine installs from, as lines of a sources.list. Sources of other origin
# stay out: their keys are not in the image, and one of them would fail its every `apt-get update`.
debian_sources() {
  local options=""
  [[ ! -f $keyring ]] || options="[signed-by=$keyring] "
  apt-get indextargets --format "deb $options\$(REPO_URI) \$(RELEASE) \$(COMPONENT)" \
    'Identifier: Packages' 'Origin: Debian' | sort -u
}

# Prints how apt fetches on this machine: proxies, timeouts, checks of dates.
apt_settings() {
  apt-config dump | grep -E '^Acquire::(http|https|Check-Valid-Until|Check-Date|Retries|ForceIPv4)\b.* "..*";$' || true
}

# Puts a Debian file system into the cache, with the named packages beside the essential ones:
# `make_rootfs TAR [PACKAGE...]`.
make_rootfs() {
  local target=$1 suite work
  local options=()
  shift
  [[ ! -f $target ]] || return 0
  has mmdebstrap || apt_install mmdebstrap debian-archive-keyring
  apt_update
  # shellcheck source=/dev/null
  suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-sid}")
  [[ $# -eq 0 ]] || options+=(--include="$(IFS=,; echo "$*")")
  work=$(mktemp -d "$cache/rootfs.XXXXXX")
  debian_sources >"$work/sources.list"
  [[ -s $work/sources.list ]] || die "this machine's apt sources name no Debian archive to make an image from"
  apt_settings >"$work/apt.conf"

  say "making a file system of Debian $suite${*:+ with $*} (a minute or two)"
  # What add_machine_settings writes is left out here: it is this machine's today, while the cache stays; and an
  # archive that holds a path twice is refused by the engine.
  as_root mmdebstrap --variant=minbase "${options[@]}" --aptopt="$work/apt.conf" \
    --customize-hook="cd \"\$1\" && rm -f etc/apt/apt.conf.d/99mmdebstrap etc/apt/sources.list .$bundle" \
    "$suite" "$work/rootfs.tar" - <"$work/sources.list" >"$work/log" 2>&1 || {
    tail -n 20 "$work/log" >&2
    rm -rf "$work"
    die "cannot make a file system of Debian $suite"
  }
  # One rename, so that an interrupted run leaves no half archive under the name that is looked for.
  mv "$work/rootfs.tar" "$target"
  rm -rf "$work"
}

# Prints one npm setting of this machine, or nothing where npm has its default.
npm_setting() {
  local upper=${1^^} value=""
  upper="NPM_CONFIG_${upper//-/_}"
  if has npm; then
    value=$(cd / && npm config get "$1" 2>/dev/null)
  else
    value=${!upper:-}
  fi
  [[ $value == null || $value == undefined ]] || printf '%s' "$value"
}

# Writes into a folder what makes an image fetch packages as this machine does: `add_machine_settings FOLDER`.
#
# No user's credentials go along; apt's own, which the machine's sources cannot do without, do.
add_machine_settings() {
  local folder=$1 name value
  mkdir -p "$folder/etc/apt/apt.conf.d" "$folder/etc/ssl/certs" "$folder/usr/local/share/ca-certificates"

  debian_sources >"$folder/etc/apt/sources.list"
  apt_settings >"$folder/etc/apt/apt.conf.d/50machine"
  # auth.conf is for root's eyes on many machines.
  for name in auth.conf auth.conf.d; do
    [[ ! -e /etc/apt/$name ]] || as_root cp -rL "/etc/apt/$name" "$folder/etc/apt/"
  done

  # The bundle serves programs at once. The single certificates are for update-ca-certificates, which writes the
  # bundle anew when the package ca-certificates is installed or upgraded in a container.
  [[ -f $bundle ]] || apt_install ca-certificates
  cp -L "$bundle" "$folder$bundle"
  find /usr/local/share/ca-certificates -name '*.crt' -exec cp -L {} "$folder/usr/local/share/ca-certificates/" \; \
    2>/dev/null || true

  for name in registry proxy https-proxy noproxy strict-ssl; do
    value=$(npm_setting "$name")
    [[ -z $value ]] || echo "$name=$value"
  done >"$folder/etc/npmrc"
  echo "cafile=$bundle" >>"$folder/etc/npmrc"
}

# Prints the `docker import` options, one a line, for the environment that programs in the image need.
environment_changes() {
  local name
  echo "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
  for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY; do
    [[ -z ${!name:-} ]] || echo "ENV $name=${!name}"
  done
}

# Imports a file system with the machine's settings laid over it: `import_debian IMAGE TAR CHANGE...`.
import_debian() {
  local image=$1 rootfs=$2 work change
  local options=()
  shift 2
  work=$(mktemp -d "$cache/import.XXXXXX")
  # The caller may have laid files over the image in $overlay.
  add_machine_settings "$overlay"
  while IFS= read -r change; do
    options+=(--change "$change")
  done < <(environment_changes; printf '%s\n' "$@")
  # Appended, which saves unpacking thousands of files. Files only: the folders are in the archive already.
  cp --reflink=auto "$rootfs" "$work/rootfs.tar"
  (cd "$overlay" && find . ! -type d -print0 |
    tar --append --file="$work/rootfs.tar" --owner=0 --group=0 --null --files-from=-)
  docker import "${options[@]}" "$work/rootfs.tar" "$image" >/dev/null
  rm -rf "$work"
}

make_node() {
  local rootfs
  say "pulling node"
  if timeout "$pull_limit_s" docker pull --quiet node >&2; then
    return 0
  fi
  say "node cannot be pulled here: making it of Debian's packages"
  rootfs="$cache/$(rootfs_name node)"
  make_rootfs "$rootfs" nodejs npm ca-certificates
  # Where the image of this name from the public registry has it.
  mkdir -p "$overlay/usr/local/bin"
  ln -s ../../bin/node "$overlay/usr/local/bin/node"
  import_debian node:latest "$rootfs" 'CMD ["node"]' \
    "ENV NODE_EXTRA_CA_CERTS=$bundle" "ENV SSL_CERT_FILE=$bundle"
}

make_debian() {
  local rootfs
  rootfs="$cache/$(rootfs_name minimal)"
  make_rootfs "$rootfs"
  import_debian rpk-test/debian:latest "$rootfs" 'CMD ["bash"]'
}

make_puppet() {
  local rootfs
  rootfs="$cache/$(rootfs_name puppet)"
  make_rootfs "$rootfs" puppet sudo
  import_debian rpk-test/puppet:latest "$rootfs" 'CMD ["bash"]'
}

make_busybox() {
  local binary work applet
  binary="$cache/$(rootfs_name busybox).bin"
  work="$overlay/root"
  mkdir -p "$work"/{bin,etc,home,root,tmp,usr/bin,var/tmp}
  if [[ ! -f $binary ]]; then
    apt_update
    # Unpacked rather than installed: busybox-static would push an installed busybox off this machine.
    (cd "$overlay" && apt-get -qq -o APT::Sandbox::User=root download busybox-static >/dev/null) ||
      die "cannot download busybox-static"
    dpkg-deb --fsys-tarfile "$overlay"/busybox-static_*.deb |
      tar --extract --to-stdout ./bin/busybox >"$overlay/busybox"
    chmod 755 "$overlay/busybox"
    mv "$overlay/busybox" "$binary"
  fi
  cp "$binary" "$work/bin/busybox"
  while IFS= read -r applet; do
    [[ $applet == busybox ]] || ln -s busybox "$work/bin/$applet"
  done < <("$binary" --list)
  ln -s /bin/env "$work/usr/bin/env"
  chmod 1777 "$work/tmp" "$work/var/tmp"
  echo 'root:x:0:0:root:/root:/bin/sh' >"$work/etc/passwd"
  echo 'root:x:0:' >"$work/etc/group"
  tar --create --owner=0 --group=0 --directory="$work" . |
    docker import --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
      --change 'CMD ["sh"]' - rpk-test/busybox:latest >/dev/null
}

# Prints the name of a cached file system, which tells everything that its content depends on.
rootfs_name() {
  # shellcheck source=/dev/null
  echo "$1-$(. /etc/os-release && echo "$ID-${VERSION_CODENAME:-sid}")-$(dpkg --print-architecture).tar"
}

[[ $# -gt 0 ]] || set -- node debian busybox puppet
for name in "$@"; do
  case $name in
    node | debian | busybox | puppet) ;;
    *) die "unknown image \`$name\`; there are: node, debian, busybox, puppet" ;;
  esac
done

"$root/scripts/engine.sh"
mkdir -p "$cache"
for name in "$@"; do
  image=$name
  [[ $name == node ]] || image=rpk-test/$name
  ! image_exists "$image" || continue
  # One image is made by one caller; the next finds it done.
  exec 9>"$cache/$name.lock"
  flock 9
  if ! image_exists "$image"; then
    overlay=$(mktemp -d "${TMPDIR:-/tmp}/rpk-image.XXXXXX")
    trap 'as_root rm -rf "$overlay"' EXIT
    chmod 755 "$overlay"
    "make_$name"
    as_root rm -rf "$overlay"
    trap - EXIT
    say "$image is there"
  fi
  exec 9>&-
done
