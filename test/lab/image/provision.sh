#!/bin/sh
# provision.sh FIREWALLD [UNIT…]: run once in a fresh host. Waits for the end of the boot, brings firewalld into the
# wanted state (running, stopped, absent; as-is leaves it alone; plain is a host without systemd) and starts the units for good. Says on stdout what the lab needs to know.
set -eu
firewalld=$1
shift

if [ "$firewalld" = plain ]; then
  tries=0
  until firewall-cmd --state >/dev/null 2>&1 && [ -e /etc/ssh/ssh_host_ed25519_key.pub ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 100 ] || exit 1
    sleep 0.1
  done
  cat /etc/ssh/ssh_host_*_key.pub
  exit 0
fi

tries=0
until state=$(systemctl is-system-running --wait 2>/dev/null) || [ "$state" = degraded ]; do
  tries=$((tries + 1))
  [ "$tries" -lt 300 ] || { echo "this host has not booted: ${state:-no answer from systemd}" >&2; exit 1; }
  sleep 0.1
done
if [ "$state" = degraded ]; then
  systemctl --failed --no-legend --plain >&2
  exit 1
fi

case $firewalld in
  running | as-is)
    # systemd calls the boot done before firewalld has its rules, and until then everything is open.
    tries=0
    while systemctl is-active --quiet firewalld.service && ! firewall-cmd --state >/dev/null 2>&1; do
      tries=$((tries + 1))
      [ "$tries" -lt 40 ] || break
      sleep 0.1
    done
    ;;
  stopped)
    # One that is stopped while it still loads its rules may leave them behind.
    timeout 10 sh -c 'until firewall-cmd --state >/dev/null 2>&1; do sleep 0.1; done' || true
    systemctl disable --now --quiet firewalld.service
    ;;
  absent)
    systemctl stop firewalld.service
    DEBIAN_FRONTEND=noninteractive dpkg --purge --force-depends firewalld >/dev/null
    ;;
esac
if [ "$#" -gt 0 ] && ! systemctl enable --now --quiet "$@"; then
  systemctl --failed --no-legend --plain >&2
  journalctl --no-pager --lines=30 >&2
  exit 1
fi
if systemctl is-active --quiet NetworkManager.service && ! nm-online --quiet --wait-for-startup --timeout=20; then
  journalctl --unit=NetworkManager.service --no-pager --lines=30 >&2
  exit 1
fi
cat /etc/ssh/ssh_host_*_key.pub
