# Installs the package firewalld with the distribution's own program, and nothing else: firewalld is neither running nor
# enabled afterwards. Asks nothing. Ends with 0 when it is installed, with 69 when the host has no program that we know.

LC_ALL=C
DEBIAN_FRONTEND=noninteractive
PATH=${PATH:-/usr/bin:/bin}:/usr/sbin:/sbin
export LC_ALL DEBIAN_FRONTEND PATH

# Some packages start what they install at once, or at the next boot, with a configuration that nobody has looked at. The
# mask outlives a boot: should the host go down in the middle of this, firewalld does not come up with it.
systemctl mask --quiet firewalld.service || return 70

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
  false
fi
code=$?
# What is masked cannot be disabled: systemctl passes over it, and says that all is well.
systemctl unmask --quiet firewalld.service
if [ "$code" -eq 0 ]; then
  systemctl disable --quiet firewalld.service >&2
  if systemctl is-enabled --quiet firewalld.service; then code=71; fi
elif ! command -v apt-get >/dev/null && ! command -v dnf >/dev/null && ! command -v yum >/dev/null && ! command -v zypper >/dev/null; then
  code=69
fi
return "$code"
