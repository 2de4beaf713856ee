#!/bin/sh
# The start check of a JVM network: two nodes by the machine's own units, as user-data would have them, until both are
# ready.  All they write, keys and databases among it, lies in memory and goes with the mounts.
set -eu
ours="/etc/goldnode /var/lib/goldnode"
# shellcheck disable=SC2086 # two names
mkdir -p $ours
for place in $ours /etc/postgresql /var/lib/postgresql /var/log/postgresql; do
  if [ -d "$place" ]; then
    mount -t tmpfs -o "$(stat -c 'mode=%a,uid=%u,gid=%g' "$place")" tmpfs "$place"
  fi
done
systemd-tmpfiles --create /usr/lib/tmpfiles.d/goldnode.conf
printf 'version: 1\nrole: multi-node\nnodes:\n- {name: one, role: hosted}\n- {name: two, role: hosted}\n' >/etc/goldnode/node.yaml
systemctl daemon-reload
systemctl start goldnode-jvm.service || true
tries=0
until said=$(goldnode jvm status 2>&1); do
  tries=$((tries + 1))
  if [ "$tries" -gt 400 ] || ! systemctl --quiet is-active goldnode-jvm.service; then
    journalctl --no-pager -u goldnode-jvm.service | tail -n 40
    tail -n 20 /var/lib/goldnode/jvm/*.log
    echo "goldnode-fault: the nodes do not get ready: $(echo "$said" | tr '\n' ' ')"
    exit 1
  fi
  sleep 2
done
echo "$said"
systemctl stop goldnode-jvm.service 'postgresql*.service'
for place in $ours /etc/postgresql /var/lib/postgresql /var/log/postgresql; do
  if mountpoint -q "$place"; then
    umount "$place"
  fi
done
# shellcheck disable=SC2086 # two names
rmdir --ignore-fail-on-non-empty $ours
