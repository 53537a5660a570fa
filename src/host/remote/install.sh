# Installs the package firewalld with the distribution's own program, and nothing else: firewalld is neither running nor
# enabled afterwards. Asks nothing. Where firewalld is installed it changes nothing. Ends with 0 when it is installed, with 69
# when the host has no program that we know.

LC_ALL=C
DEBIAN_FRONTEND=noninteractive
PATH=${PATH:-/usr/bin:/bin}:/usr/sbin:/sbin
export LC_ALL DEBIAN_FRONTEND PATH

folder=/etc/systemd/system/firewalld.service.d
hold=$folder/portfw-installing.conf

# Somebody else's firewalld, running or not, is not touched: what holds it back below is there only while we install.
if [ -e /usr/sbin/firewalld ] && [ ! -e "$hold" ]; then return 0; fi

# Some packages start what they install at once, or at the next boot, with a configuration that nobody has looked at. A
# condition that never holds outlives a boot and a kill in the middle of this; it is ours to take away, as a mask that an
# administrator may have set is not. The next run of this program, or of one that starts firewalld, takes it away.
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
  # Half of a package: it stays held back until the other half is there.
  return "$code"
fi
rm -f "$hold"
rmdir "$folder" 2>/dev/null
systemctl daemon-reload
return "$code"
