#!/bin/sh
# Seals the machine: nothing that identifies it, lets anybody in, or was only of use to the bake stays behind.
# Every line has its assertion in goldnode/image/rules/, which `./invoke image check` runs on the result.
# Files are removed by few commands on purpose: without KVM each one costs 60 ms.
set -eu

echo "goldnode-step: seal"
# An open log would keep its content, or be written once more at the end.
systemctl stop rsyslog.service auditd.service systemd-journald.service systemd-journald-dev-log.socket \
  systemd-journald.socket systemd-journald-audit.socket 2>/dev/null || true

# Only a machine that was booted the ordinary way has more: what cloud-init made, programs that write once more when
# they stop, and the account by which Packer came in (nobody lives on a node, so every account of a person goes).
ordinary=""
if [ -e /var/lib/cloud/instance ]; then
  ordinary=yes
  cloud-init clean --logs --seed --configs all
  systemctl stop google-guest-agent.service walinuxagent.service chrony.service systemd-random-seed.service 2>/dev/null || true
  awk -F: '$3 >= 1000 && $3 < 60000 { print $1 }' /etc/passwd | xargs -r -n 1 userdel --force --remove
fi
passwd --quiet --lock root

# Who this machine is: made anew on first boot.  Who may enter: nobody.
# With an empty one, systemd keeps a temporary id mounted over the file.
umount /etc/machine-id 2>/dev/null || true
: >/etc/machine-id
printf '127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n' >/etc/hosts
# The links by which ssh, a database, a lease's store, a second writer of logs, apt's upgrades and checks of LVM's
# snapshots are enabled; systemctl would run a chain of init-script tools (7 s).
find /etc/systemd/system -type l \( -name 'ssh.*' -o -name sshd.service -o -name sshd-unix-local.socket \
  -o -name postgresql.service -o -name 'etcd*.service' -o -name rsyslog.service -o -name syslog.service \
  -o -name unattended-upgrades.service -o -name 'apt-daily*.timer' -o -name 'e2scrub_*' \) -delete
rm -rf \
  /var/lib/dbus/machine-id /etc/hostname /etc/.resolv.conf.systemd-resolved.bak /etc/ssh/ssh_host_* /root/.ssh /home/*/.ssh \
  /etc/ssl/private/ssl-cert-snakeoil.key /etc/ssl/certs/ssl-cert-snakeoil.pem /etc/postgresql/* /var/lib/postgresql/* \
  /etc/sudoers.d/90-cloud-init-users /etc/sudoers.d/90-incus \
  /var/lib/systemd/random-seed /var/lib/systemd/credential.secret /var/lib/chrony/* /boot/grub/grubenv \
  /etc/udev/rules.d/70-persistent-net.rules /etc/systemd/network/*cloud-init* /etc/netplan/50-cloud-init.yaml \
  /var/lib/dhcp/* /var/lib/dhcpcd/* /var/lib/NetworkManager/* /var/lib/systemd/network/* \
  /var/lib/systemd/timers/* /var/lib/cloud/* /var/lib/waagent/* /etc/cloud/cloud-init.disabled

# What package tools, people and programs left.
find /var/cache/apt /var/lib/apt/lists /var/log -type f -delete
rm -rf \
  /var/log/journal/* /run/log/journal/* /var/crash/* /var/lib/systemd/coredump/* \
  /var/cache/debconf/*-old /var/cache/ldconfig/aux-cache /var/lib/dpkg/*-old \
  /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow- /etc/subuid- /etc/subgid- \
  /etc/apt/apt.conf.d/*proxy* /etc/dpkg/dpkg.cfg.d/force-unsafe-io /usr/sbin/policy-rc.d \
  /root/.cache /root/.bash_history /root/.lesshst /root/.viminfo /root/.gnupg \
  /usr/lib/goldnode/packages.txt /usr/lib/goldnode/precompile.py /usr/lib/goldnode/start-check
find /tmp /var/tmp -mindepth 1 -maxdepth 1 ! -name "$(basename "$0")" -exec rm -rf {} +

# There, host keys and the bake's key were on the disk, and a disk forgets freed blocks only in large pieces or not at
# all (measured: the key was still in the file after fstrim), so what is free is overwritten.
if [ -n "$ordinary" ]; then
  # ext4 keeps some blocks back even from root (measured: 16 MiB, with the key in them).
  find /sys/fs/ext4 -name reserved_clusters -exec sh -c 'echo 0 >"$1"' - {} \;
  dd if=/dev/zero of=/free-space bs=1M 2>/dev/null || true # ends when the disk is full
  sync
  rm -f /free-space
fi

# All that systemd does at the first boot after /usr has changed is done: accounts and the linker's cache by provision.sh,
# the journal's catalogue by Debian.  It compares times, to the nanosecond.
rm -f /etc/.updated /var/.updated
touch --reference=/usr /etc/.updated /var/.updated

# Freed blocks leave the disk file, so that they are neither shipped nor searched.
sync
fstrim /
