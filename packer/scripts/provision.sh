#!/bin/sh
# Installs what Debian has of a node, then the payload: every file at its final path, over Debian's own.
# The same script serves every source; PAYLOAD is a tar, or the drive that holds one.
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 SOURCE_DATE_EPOCH=1767225600

# Only the golden bake has the payload on a drive.  Its machine may go on from where an earlier bake found it: the clock,
# and what was read of the drive, are of then.
if [ -b "$PAYLOAD" ]; then
  blockdev --flushbufs "$PAYLOAD"
  date --utc --set "@$(cat /sys/class/rtc/rtc0/since_epoch)" >/dev/null
fi

# A base of ours has all packages ("ii" each); a cloud's own Debian image has not.
packages=$(tar --extract --to-stdout --occurrence --file "$PAYLOAD" usr/lib/goldnode/packages.txt)
# shellcheck disable=SC2086 # a list of names
if [ -n "$(dpkg-query -W -f '${db:Status-Abbrev}' $packages 2>&1 | tr -d 'i ')" ]; then
  echo "goldnode-step: install packages"
  systemctl --quiet mask --now apt-daily.timer apt-daily-upgrade.timer apt-daily.service apt-daily-upgrade.service
  printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
  chmod 0755 /usr/sbin/policy-rc.d
  apt-get -o DPkg::Lock::Timeout=120 update -q
  apt-get -o DPkg::Lock::Timeout=120 -o APT::Install-Recommends=false install -q -y $packages
  rm -f /usr/sbin/policy-rc.d
  systemctl --quiet unmask apt-daily.timer apt-daily-upgrade.timer apt-daily.service apt-daily-upgrade.service
fi

echo "goldnode-step: install payload"
tar --extract --file "$PAYLOAD" --directory / --numeric-owner --overwrite --keep-directory-symlink

echo "goldnode-step: set up"
python3 -I /usr/lib/goldnode/precompile.py /usr/lib/goldnode/node.pyz & # the longest of it, beside the rest
precompile=$!
systemd-sysusers
ldconfig
# What Debian leaves readable or lasting, and nobody on a node needs so: accounts have no password, and root works alone.
sed -i -E '/^#?[[:space:]]*(UMASK|PASS_MAX_DAYS|PASS_MIN_DAYS|SHA_CRYPT_M(IN|AX)_ROUNDS)[[:space:]]/d' /etc/login.defs
printf '%s\n' 'UMASK 027' 'PASS_MAX_DAYS 365' 'PASS_MIN_DAYS 1' 'SHA_CRYPT_MIN_ROUNDS 65536' 'SHA_CRYPT_MAX_ROUNDS 65536' \
  >>/etc/login.defs
find /etc/ssh/sshd_config /etc/crontab /boot/grub/grub.cfg /etc/cron.d /etc/cron.hourly /etc/cron.daily /etc/cron.weekly \
  /etc/cron.monthly -maxdepth 0 -exec chmod go-rwx {} + 2>/dev/null || true
wait "$precompile"

# A build that passes proves nothing: cgo libraries are missed only when the daemon starts.
if [ -s /usr/lib/goldnode/start-check ]; then
  echo "goldnode-step: start the daemon"
  sh -eu /usr/lib/goldnode/start-check
fi
