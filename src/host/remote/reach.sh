# portfw reach: whether a TCP connection can be made from this host. Writes nothing, needs no root.
#
# stdin   three lines: an address or a name, a port, and how many seconds the connection may take.
# stdout  why it could not be made, one line.
# exit    0 it was made, 1 it was not, 2 this host has neither Python nor bash.

IFS= read -r host
IFS= read -r port
IFS= read -r seconds

# They become arguments of other programs, which read a leading hyphen as a flag.
case $host in '' | -* | *[!0-9A-Za-z.:%_-]*) host='' ;; esac
case $port in '' | *[!0-9]* | ??????*) host='' ;; esac
case $seconds in '' | *[!0-9.]* | ????????????*) host='' ;; esac
if [ -z "$host" ]; then
  echo 'not an address, a port and a time'
  exit 1
fi

# Python reports the system's error message.
try_with_python() {
  "$1" -c '
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), float(sys.argv[3])).close()
except socket.timeout:
    print("no answer within %s s" % sys.argv[3])
    sys.exit(1)
except Exception as error:
    print(getattr(error, "strerror", None) or error)
    sys.exit(1)
' "$host" "$port" "$seconds"
}

# bash opens the connection itself; its first line of output has the reason after the last colon. It reads ~/.bashrc if its
# input is a socket, as in a remote shell: therefore no input, and --norc.
try_with_bash() {
  # shellcheck disable=SC2016 # the inner shell expands its own arguments
  said=$(timeout "$seconds" bash --norc -c 'exec 3<>"/dev/tcp/$1/$2"' reach "$host" "$port" 2>&1 </dev/null)
  case $? in
    0) return 0 ;;
    124) echo "no answer within $seconds s" ;;
    *) printf '%s\n' "$said" | sed -e 's/.*: //' -e 1q ;;
  esac
  return 1
}

for python in python3 /usr/libexec/platform-python python; do
  if command -v "$python" >/dev/null 2>&1; then
    try_with_python "$python"
    exit
  fi
done
if command -v bash >/dev/null 2>&1; then
  try_with_bash
  exit
fi
echo 'it has neither Python nor bash'
exit 2
