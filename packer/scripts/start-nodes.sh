#!/bin/sh
# The start check of a JVM network: two nodes by the machine's own units, as user-data would have them, until both are
# ready.  All they write, keys and databases among it, lies in memory and goes with the mounts.
set -eu
for place in /etc/goldnode /etc/postgresql /var/lib/goldnode /var/lib/postgresql /var/log/postgresql; do
  if [ -d "$place" ]; then
    mount -t tmpfs -o "$(stat -c 'mode=%a,uid=%u,gid=%g' "$place")" tmpfs "$place"
  fi
done
printf 'version: 1\nrole: multi-node\nnodes:\n- {name: one, role: hosted}\n- {name: two, role: hosted}\n' >/etc/goldnode/node.yaml
systemctl start goldnode-jvm.service || true
tries=0
until said=$(goldnode jvm status 2>&1); do
  tries=$((tries + 1))
  if [ "$tries" -gt 150 ] || ! systemctl --quiet is-active goldnode-jvm.service; then
    journalctl --no-pager -u goldnode-jvm.service | tail -n 40
    tail -n 20 /var/lib/goldnode/jvm/*.log
    echo "goldnode-fault: the nodes do not get ready: $(echo "$said" | tr '\n' ' ')"
    exit 1
  fi
  sleep 2
done
echo "$said"
systemctl stop goldnode-jvm.service 'postgresql*.service'
umount /etc/goldnode /etc/postgresql /var/lib/goldnode /var/lib/postgresql /var/log/postgresql 2>/dev/null || true
rm -rf /run/goldnode/jvm
