#!/bin/sh
# Installs the packages listed in the file $1 that are not there yet; does nothing, and needs no network, when all are.
set -eu

missing=''
while read -r package; do
  case $package in '' | '#'*) continue ;; esac
  state=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) || state=''
  [ "$state" = installed ] || missing="$missing $package"
done <"$1"
[ -n "$missing" ] || exit 0

export DEBIAN_FRONTEND=noninteractive
# No documentation and no disk flushes: these images are thrown away. Translations stay, as sudo is tried in a foreign language.
cat >/etc/dpkg/dpkg.cfg.d/lab <<'CONFIG'
force-unsafe-io
path-exclude=/usr/share/doc/*
path-exclude=/usr/share/man/*
path-exclude=/usr/share/info/*
CONFIG
# Services must not start while the image is being built.
printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d

options='-o Acquire::Languages=none -o Acquire::Retries=3 -o APT::Install-Recommends=false'
suite=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
# MIRRORS are tried in turn; "own" is what the base image itself is configured with.
updated=''
for mirror in ${MIRRORS:-own}; do
  sources=''
  if [ "$mirror" != own ]; then
    printf 'deb %s %s main\n' "$mirror" "$suite" >/opt/lab/build/mirror.list
    # Of an old release in an archive, the signature's date has passed.
    sources='-o Dir::Etc::SourceList=/opt/lab/build/mirror.list -o Dir::Etc::SourceParts=/dev/null -o Acquire::Check-Valid-Until=false'
  fi
  # shellcheck disable=SC2086 # options and packages are lists of words
  if apt-get $options $sources update -o APT::Update::Error-Mode=any; then
    updated=$mirror
    options="$options $sources"
    break
  fi
done
if [ -z "$updated" ]; then
  echo "no mirror has Debian $suite. Name one that does: PORTFW_LAB_MIRROR=https://mirror.example.net/debian" >&2
  exit 1
fi
# shellcheck disable=SC2086
apt-get $options install -y --no-install-recommends $missing
apt-get clean
rm -rf /var/lib/apt/lists/* /usr/sbin/policy-rc.d
