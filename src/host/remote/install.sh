# Installs the package firewalld with the distribution's package manager, and nothing else: firewalld is neither running nor
# enabled afterwards. Asks nothing. If firewalld is installed already, it changes nothing. Ends with 0 if it is installed, with
# 69 if the host has no supported package manager.

LC_ALL=C
DEBIAN_FRONTEND=noninteractive
PATH=${PATH:-/usr/bin:/bin}:/usr/sbin:/sbin
export LC_ALL DEBIAN_FRONTEND PATH

folder=/etc/systemd/system/firewalld.service.d
hold=$folder/portfw-installing.conf

# An existing firewalld, running or not, is not changed: the condition below exists only during the installation.
if [ -e /usr/sbin/firewalld ] && [ ! -e "$hold" ]; then return 0; fi

# Some packages start firewalld at once, or at the next boot, with a configuration that nobody has checked. A condition that is
# never true survives a reboot or a kill of this program. Unlike a mask, it cannot be confused with one that an administrator
# set. The next run of this program, or of the one that starts firewalld, removes it.
mkdir -p "$folder" && printf '[Unit]\nConditionPathExists=!/\n' >"$hold" && systemctl daemon-reload || return 70

if command -v apt-get >/dev/null; then
  set -- apt-get -q -y -o DPkg::Lock::Timeout=60 -o Dpkg::Options::=--force-confold --no-install-recommends install firewalld
  "$@" >&2 </dev/null || { apt-get -q update >&2 </dev/null && "$@" >&2 </dev/null; }
elif command -v dnf >/dev/null; then
  dnf -y install firewalld >&2 </dev/null
elif command -v yum >/dev/null; then
  yum -y install firewalld >&2 </dev/null
elif command -v zypper >/dev/null; then
  zypper --non-interactive install firewalld >&2 </dev/null
else
  (exit 69)
fi
code=$?
if [ "$code" -eq 0 ]; then
  systemctl disable --quiet firewalld.service >&2
  if systemctl is-enabled --quiet firewalld.service; then return 71; fi
elif [ -e /usr/sbin/firewalld ]; then
  # The package is only partly installed: the condition stays until it is complete.
  return "$code"
fi
rm -f "$hold"
rmdir "$folder" 2>/dev/null
systemctl daemon-reload
return "$code"
