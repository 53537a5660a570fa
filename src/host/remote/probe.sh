# portfw probe: the facts of this host. Read-only.
#
# stdin   one request a line: `package NAME` or `file PATH`, for role detectors.
# stdout  sections. A header is `@@name` at the start of a line; every line of content begins with one space, so that no
#         output of the host (a process name may contain a line break) can look like a header.
#         `@@end` marks a complete answer.
# stderr  errors of the firewalld collector, if any.
#
# The caller puts the shell function `firewalld_program` before this text: it prints the collector, a Python 3 program.
# Without it, the answer has no firewalld configuration.
# If a program is not installed, its section is empty and its name is in `@@missing`.

LC_ALL=C
PATH=${PATH:-/usr/bin:/bin}:/usr/sbin:/sbin
export LC_ALL PATH

newline='
'

# The line feed in front ends an unfinished last line of the section before.
section() { printf '\n@@%s\n' "$1"; }

# content [FILE…]: prints the content of a section.
content() { sed 's/^/ /' "$@"; }

# bounded SECONDS COMMAND…: a hanging daemon must not hang the probe.
if command -v timeout >/dev/null 2>&1; then
  bounded() { timeout "$@"; }
else
  bounded() { shift; "$@"; }
fi

# runs NAME: whether a process of that name is running.
runs() {
  case "$newline$processes$newline" in
    *"$newline $1$newline"*) return 0 ;;
    *) return 1 ;;
  esac
}

# The addresses and ports of the SSH session. sudo removes the variable, so it is searched in all parent processes.
ssh_connection() {
  if [ -n "${SSH_CONNECTION:-}" ]; then
    printf ' %s\n' "$SSH_CONNECTION"
    return
  fi
  set --
  pid=$$
  while [ "${pid:-0}" -gt 1 ] && [ "$#" -lt 32 ]; do
    set -- "$@" "/proc/$pid/environ"
    parent=
    while read -r key value; do
      if [ "$key" = PPid: ]; then
        parent=$value
        break
      fi
    done <"/proc/$pid/status"
    pid=$parent
  done
  [ "$#" -eq 0 ] || cat "$@" | tr '\n\0' ' \n' | sed -n '/^SSH_CONNECTION=/{s// /;p;q;}'
}

# The names of the given packages that are installed.
installed_packages() {
  [ "$#" -gt 0 ] || return 0
  if command -v rpm >/dev/null && [ -d /var/lib/rpm ]; then
    bounded 5 rpm -q --qf '%{NAME} installed\n' -- "$@" | content
  elif command -v dpkg-query >/dev/null; then
    # The braces are dpkg-query's own.
    # shellcheck disable=SC2016
    bounded 5 dpkg-query -W -f '${Package} ${db:Status-Status}\n' -- "$@" | content
  fi
}

# Default routes of every routing table, one a line, after the name of their family.
default_routes() {
  ip -4 -o route show table all default | sed 's/^/ipv4 /'
  ip -6 -o route show table all default | sed 's/^/ipv6 /'
}

# The main routing table of both families, and whether other rules than the usual ones choose another table. An internet
# router has a million routes, so at most 2000 are reported.
route_table() {
  { ip -4 -o route show | head -n 2001 | sed 's/^/ipv4 /'; ip -6 -o route show | head -n 2001 | sed 's/^/ipv6 /'; } |
    awk '++told[$1] > 2000 { cut = 1; next } { print } END { if (cut) print "cut" }'
  { ip -4 rule show; ip -6 rule show; } | grep -Evq '(lookup|table) (local|main|default)' && echo policies
}

# The ports of tunnels that end here: those of processes with an open tunnel device, and WireGuard's.
carriers() {
  for flags in /sys/class/net/*/tun_flags; do
    [ -e "$flags" ] || continue
    grep -sH '^iff:' /proc/[0-9]*/fdinfo/* | sed -n 's|^/proc/\([0-9]*\)/.*:iff:[[:space:]]*|\1 |p' | sort -u |
      while read -r holder name; do
        printf '%s\n' "$listening" | sed -n "s/.*pid=$holder,.*/&/p" |
          awk -v name="$name" '{ sub(/.*:/, "", $5); print name, $1, $5 }'
      done
    break
  done
  if command -v wg >/dev/null; then bounded 3 wg show all listen-port | awk '{ print $1, "udp", $2 }'; fi
}

# Established flows, counted by kind: `COUNT PROTOCOL OPENER ADDRESS PORT SOURCE SOURCEPORT TARGET`. The last three are the
# source and target of the answers: they differ from the first ones if addresses are translated. A busy host has 100,000
# flows, so the number of kinds and of lines of each source is limited, and `cut` means that some are missing.
count_flows() {
  awk -v most=2000 -v longest=400000 '
    function count(kind) { flows[from] += 1; kinds[from, kind] += 1 }
    function own(text) {
      return substr(text, 1, 4) == "127." || text == "::1" || text == "0000:0000:0000:0000:0000:0000:0000:0001"
    }
    function port(end) { sub(/.*:/, "", end); return end }
    function bare(end) { sub(/:[0-9]+$/, "", end); gsub(/[][]/, "", end); sub(/%.*/, "", end); return end }
    $1 == "source" { from = $2; asked[from] = 1; next }
    $1 == "cut" || ++lines[from] > longest { cut[from] = 1; next }
    $3 == "tcp" || $3 == "udp" {
      # A flow that is offloaded to hardware has no state and no timeout.
      there = substr($6, 1, 4) == "src=" ? 6 : substr($5, 1, 4) == "src=" ? 5 : 7
      if ($3 == "tcp" && there == 7 && $6 != "ESTABLISHED") next
      for (back = there + 4; back <= NF && substr($back, 1, 4) != "src="; back++) if ($back == "[UNREPLIED]") next
      opener = substr($there, 5); address = substr($(there + 1), 5)
      if (back + 3 > NF || own(opener) || own(address) || opener == address) next
      count($3 " " opener " " address " " substr($(there + 3), 7) " " \
        substr($back, 5) " " substr($(back + 2), 7) " " substr($(back + 1), 5))
      next
    }
    $2 == "LISTEN" || $2 == "UNCONN" { listens[$1 " " port($5)] = 1 }
    ($1 == "tcp" || $1 == "udp") && $2 ~ /^[0-9]+$/ {
      here = bare($4); there = bare($5)
      if (own(here) || here == there) next
      if (($1 " " port($4)) in listens) count($1 " " there " " here " " port($4) " " here " " port($4) " " there)
      else count($1 " " here " " there " " port($5) " " there " " port($5) " " here)
    }
    END {
      for (from in asked) {
        print " source " from
        print " flows " flows[from] + 0
        if (from in cut) print " cut"
        for (key in kinds) {
          split(key, halves, SUBSEP)
          if (halves[1] == from && ++told[from] <= most) print " " kinds[key] " " halves[2]
        }
      }
    }'
}

# Whether conntrack can be used without making the kernel load a module.
netlink_tracks() {
  [ -d /sys/module/nf_conntrack_netlink ] || [ ! -e /proc/modules ] ||
    grep -q '/nf_conntrack_netlink\.ko' "/lib/modules/$kernel/modules.builtin"
}

# The kernel's connection table, if it can be read, and the sockets: these show which connections it does not track.
established_flows() {
  tracked=
  if [ -r /proc/sys/net/netfilter/nf_conntrack_count ]; then
    read -r tracked </proc/sys/net/netfilter/nf_conntrack_count
  fi
  # On older kernels the time to read /proc grows with the square of its length; conntrack needs two more programs.
  if [ "${tracked:-5000}" -lt 5000 ] && [ -r /proc/net/nf_conntrack ]; then
    echo source conntrack
    cat /proc/net/nf_conntrack || echo cut
  elif [ -n "$tracked" ] && command -v conntrack >/dev/null && netlink_tracks; then
    echo source conntrack
    for family in ipv4 ipv6; do bounded 3 conntrack -L -f "$family" -o extended || echo cut; done
  elif [ "${tracked:-50000}" -lt 50000 ] && [ -r /proc/net/nf_conntrack ]; then
    echo source conntrack
    bounded 3 cat /proc/net/nf_conntrack || echo cut
  fi
  command -v ss >/dev/null || return 0
  echo source sockets
  printf '%s\n' "$listening"
  bounded 3 ss -ntu state established || echo cut
}

# Where the kernel forwards packets: for IPv4 by incoming interface, for IPv6 for the whole host, and on newer kernels by
# interface too.
forwarding_switches() {
  for switch in /proc/sys/net/ipv4/conf/*/forwarding /proc/sys/net/ipv6/conf/all/forwarding \
    /proc/sys/net/ipv6/conf/*/force_forwarding; do
    state=0
    if [ -r "$switch" ]; then read -r state <"$switch"; fi
    if [ "$state" = 0 ]; then continue; fi
    name=${switch%/*}
    family=${switch#/proc/sys/net/}
    printf ' %s %s\n' "${family%%/*}" "${name##*/}"
  done
}

# The version without starting Python: it is in firewalld's constants.
firewalld_version() {
  [ -e /usr/sbin/firewalld ] || return 0
  echo ' installed'
  for constants in /usr/lib/python*/site-packages/firewall/config/__init__.py \
    /usr/lib/python*/dist-packages/firewall/config/__init__.py; do
    [ -e "$constants" ] && sed -n 's/^VERSION *= */ /p' "$constants"
  done
}

# Runs the collector with firewalld's own interpreter and its flags: only that one certainly has the D-Bus bindings.
firewalld_json() {
  [ -r /usr/sbin/firewalld ] && command -v firewalld_program >/dev/null || return 0
  IFS= read -r interpreter </usr/sbin/firewalld
  case $interpreter in '#!'*) ;; *) return 0 ;; esac
  # The shebang line is split into words on purpose: path, then flags.
  # shellcheck disable=SC2086
  firewalld_program | bounded 20 ${interpreter#'#!'} -
}

sections() {
  section missing
  for program in ip ss systemctl; do
    command -v "$program" >/dev/null || printf ' %s\n' "$program"
  done
  section system
  read -r kernel </proc/sys/kernel/osrelease
  read -r hostname </proc/sys/kernel/hostname
  printf ' uid %s\n kernel %s\n hostname %s\n' "$(id -u)" "$kernel" "$hostname"
  section os
  while IFS= read -r line; do printf ' %s\n' "$line"; done </etc/os-release
  section ssh
  ssh_connection
  section interfaces
  # Details show a macvlan; an ip without details prints none.
  { ip -d addr show || ip addr show; } | content
  section routes
  default_routes | content
  section route-table
  route_table | content
  section forwarding
  forwarding_switches
  section sockets
  listening=$(bounded 10 ss -lntup | content)
  printf '%s\n' "$listening"
  section carriers
  carriers | sort -u | content
  section flows
  if command -v awk >/dev/null; then established_flows | count_flows; fi
  section units
  bounded 5 systemctl list-units --type=service,socket --all --full --plain --no-legend --no-pager | content
  section processes
  processes=$(content /proc/[0-9]*/comm)
  printf '%s\n' "$processes"
  section packages
  installed_packages "$@"
  section rpc
  # Only where the portmapper is running already: asking would start it through its socket unit.
  if runs rpcbind || runs portmap; then bounded 2 rpcinfo -p | content; fi
  section state
  if [ -e /var/lib/portfw/state.json ]; then head -c 65536 /var/lib/portfw/state.json | content; fi
  section lock
  # The lock is the directory; its holder may not be written yet.
  if [ -d /run/portfw/lock ]; then
    echo ' held'
    if [ -e /run/portfw/lock/holder.json ]; then head -c 4096 /run/portfw/lock/holder.json | content; fi
  fi
  section last-run
  if [ -e /var/lib/portfw/last.json ]; then head -c 65536 /var/lib/portfw/last.json | content; fi
  section firewalld-version
  firewalld_version
}

section portfw-facts
section files
set --
while read -r kind wanted; do
  case $kind in
    # dpkg-query reads a word with a leading hyphen as a flag.
    package) case $wanted in '' | [!0-9A-Za-z]* | *[!0-9A-Za-z.+_-]*) ;; *) set -- "$@" "$wanted" ;; esac ;;
    file) case $wanted in /*) if [ -e "$wanted" ]; then printf ' %s\n' "$wanted"; fi ;; esac ;;
  esac
done

# The collector takes longest, so it runs while the sections are gathered; the pipe holds its answer until they are printed.
firewalld_json | {
  sections "$@" </dev/null 2>/dev/null
  section firewalld
  content
}
section end
