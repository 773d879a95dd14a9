"""What is run in a container to see whether it confines, and to find programs. Needs sh, and a few tools of a base system."""

from __future__ import annotations

PROBES = r"""
can() { echo "$1"; }
writes() { (: > "$1") 2>/dev/null && can "write to $1"; }
[ "$(cat inside)" = inside ] || can 'not read its workspace'
(: > made) 2>/dev/null || can 'not write in its workspace'
writes /mab-probe; writes /usr/mab-probe; writes /etc/mab-probe; writes /proc/sys/kernel/core_pattern
[ -e "$1/bridge.db" ] && can 'see the database'
[ -e "$1/master.key" ] && can 'see the master key'
[ "$(id -u)" = 0 ] && can 'be root'
set -- /proc/[0-9]*
[ $# -gt 8 ] && can 'see other programs'
for face in /sys/class/net/*; do
  case ${face##*/} in lo|tunl0|sit0|ip6tnl0|'*') ;; *) can "reach the network by ${face##*/}";; esac
done
while read -r name value; do
  case $name in
    CapPrm:|CapBnd:) case $value in *[!0]*) can "use capabilities ($name $value)";; esac;;
    NoNewPrivs:) [ "$value" = 1 ] || can 'gain privileges';;
    Seccomp:) [ "$value" = 2 ] || can 'use every system call';;
  esac
done < /proc/self/status
echo done
"""
PASSED = ["done"]

LOOKUP = r"""
for name do
  found=
  IFS=:
  for folder in $PATH; do
    if [ -n "$folder" ] && [ -f "$folder/$name" ] && [ -x "$folder/$name" ]; then found=$folder/$name; break; fi
  done
  unset IFS
  if [ -n "$found" ]; then
    file=$(readlink -f "$found") && digest=$(sha256sum < "$file") || exit 1
    echo "${digest%% *} $found"
  else
    echo none
  fi
done
"""
"""One line for each name: SHA-256 of the file and its path; `none` where there is none."""
