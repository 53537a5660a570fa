#!/bin/sh
# portfw-run SSH_CONNECTION NONCE: what an account may run with sudo instead of a shell.
#
# It runs portfw's own programs of version @VERSION@ as root, and nothing else: a program comes on standard input, and is run
# only if its SHA-256 is in the list below. The programs are in portfw's folder src/host.
# Must be owned by root and writable only by root. Made by "portfw sudoers"; this file contains no secrets.
set -u
# sudo may pass on the account's own PATH.
# shellcheck disable=SC2123 # it is the search path that is meant
PATH=@PATH@
# Python, rpm and others read and run files below it, so it must not be the account's.
HOME=/root
export PATH HOME

refuse() {
  echo "portfw-run: $1" >&2
  exit 95
}

umask 022
cd / || exit 95
[ "$#" -eq 2 ] || refuse 'only portfw may start it'
# sshd's addresses and ports of the connection.
case $1 in *[!0-9A-Za-z:.%\ ]*) refuse 'the connection is not valid' ;; esac
case $2 in '' | *[!0-9a-f]*) refuse 'the nonce is not valid' ;; esac

printf '[portfw:%s:listed]' "$2" >&2
IFS=' ' read -r length data seconds || refuse 'no program arrived'
case $length$data in ??????????????????*) refuse 'the lengths are too great' ;; esac
case $length in '' | *[!0-9]*) refuse 'the length of the program is not a number' ;; esac
case $data in '' | *[!0-9]*) refuse 'the length of the data is not a number' ;; esac
case $seconds in '' | *[!0-9.]* | ????????????*) refuse 'the time is not a number' ;; esac
# For timeout, 0 means no limit.
case $seconds in *[1-9]*) ;; *) refuse 'the time is zero' ;; esac

listed='@LISTED@'
plan_only=
planner='@PLANNER@'
# sudo itself sets SUDO_USER.
if [ -n "$planner" ] && [ "${SUDO_USER:-}" = "$planner" ]; then
  listed='@LISTED_TO_PLANNER@'
  plan_only=yes
fi
# shellcheck disable=SC2016 # the shell that is started reads them
exec env @ENVIRONMENT@ PORTFW_PLAN_ONLY="$plan_only" \
  timeout -k 2 "$seconds" /bin/sh -c 'listed=$4; @SHELL@' portfw "$2" "$length" "$data" "$listed"
