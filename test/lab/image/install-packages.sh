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
# shellcheck disable=SC2086 # options and packages are lists of words
if ! apt-get $options update -o APT::Update::Error-Mode=any; then
  # An old suite moves from the mirrors to the archive.
  find /etc/apt -name '*.list' -o -name '*.sources' | while read -r file; do
    sed -i -e 's#deb.debian.org/debian-security#archive.debian.org/debian-security#' \
      -e 's#security.debian.org/debian-security#archive.debian.org/debian-security#' \
      -e 's#deb.debian.org/debian#archive.debian.org/debian#' "$file"
  done
  options="$options -o Acquire::Check-Valid-Until=false"
  # shellcheck disable=SC2086
  apt-get $options update
fi
# shellcheck disable=SC2086
apt-get $options install -y --no-install-recommends $missing
apt-get clean
rm -rf /var/lib/apt/lists/* /usr/sbin/policy-rc.d
