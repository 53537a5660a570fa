#!/bin/sh
# Before each start of NetworkManager: a profile for every interface that the container engine has set up. NetworkManager
# would only watch such an interface ("connected (externally)"); a device file that names the profile makes it take the
# interface over as its own, the way it does after its own restart: no address is lost for a moment.
set -eu
profiles=/etc/NetworkManager/system-connections
devices=/run/NetworkManager/devices
mkdir -p "$devices" /etc/NetworkManager/conf.d
# The engine's names of the host's name servers stay, and nothing is asked of DHCP.
printf '[main]\nno-auto-default=*\ndns=none\n' >/etc/NetworkManager/conf.d/lab.conf

ip -oneline -4 address show scope global | while read -r index interface _ address _; do
  index=${index%:}
  interface=${interface%%@*}
  # What NetworkManager has taken over already it finds again by itself.
  if grep -q '^connection-uuid=' "$devices/$index" 2>/dev/null; then continue; fi
  profile="$profiles/lab-${address%/*}.nmconnection"
  if [ -e "$profile" ]; then
    # The engine may name the interfaces the other way round after a restart.
    sed -i "s/^interface-name=.*/interface-name=$interface/" "$profile"
  else
    gateway=$(ip -4 route show default dev "$interface" | sed -n 's/.* via \([0-9.]*\).*/,\1/p')
    read -r uuid </proc/sys/kernel/random/uuid
    (
      umask 077
      cat >"$profile" <<PROFILE
[connection]
id=Lab ${address%/*}
uuid=$uuid
type=ethernet
interface-name=$interface

[ipv4]
method=manual
address1=$address$gateway

[ipv6]
method=ignore
PROFILE
    )
  fi
  printf '[device]\nmanaged=true\nconnection-uuid=%s\n' "$(sed -n 's/^uuid=//p' "$profile")" >"$devices/$index"
done
