#!/bin/sh
# The last step of a host image: users, sshd, and a boot that starts only what a host needs.
set -eu

# admin may use sudo with the password below, operator without one, nosudo not at all.
for user in admin operator nosudo; do
  useradd --create-home --no-user-group --shell /bin/sh "$user"
done
echo 'admin:portfw-lab' | chpasswd
echo 'nosudo:portfw-lab' | chpasswd
cat >/etc/sudoers.d/lab <<'SUDOERS'
Defaults:admin timestamp_timeout=0
admin ALL=(ALL:ALL) ALL
operator ALL=(ALL:ALL) NOPASSWD: ALL
SUDOERS
chmod 440 /etc/sudoers.d/lab
localedef -i de_DE -f UTF-8 de_DE.UTF-8

# Keys come from the lab when a host starts; host keys are the container's own (see lab-hostkeys.service).
mkdir -p /etc/ssh/sshd_config.d
cat >/etc/ssh/sshd_config.d/lab.conf <<'SSHD'
AuthorizedKeysFile .ssh/authorized_keys /etc/ssh/lab_authorized_keys
HostKey /etc/ssh/ssh_host_ed25519_key
HostKey /etc/ssh/ssh_host_ecdsa_key
PermitRootLogin prohibit-password
UseDNS no
MaxStartups 200:30:400
SSHD
rm -f /etc/ssh/ssh_host_*
# sudo on a host that cannot resolve its own name waits for DNS.
sed -i 's/^hosts:.*/hosts: files myhostname dns/' /etc/nsswitch.conf 2>/dev/null || true

chmod 755 /opt/lab/*.py /opt/lab/*.sh
systemctl enable lab-hostkeys.service
# A lab's option starts NetworkManager: see lab-network-manager.service.
systemctl disable rpcbind.service rpcbind.socket NetworkManager.service NetworkManager-wait-online.service NetworkManager-dispatcher.service
systemctl enable lab-network-manager.service
# The two path units would each take an inotify instance of the kernel, which has 128 for all containers together.
for unit in systemd-ask-password-console.path systemd-ask-password-wall.path apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer fstrim.timer e2scrub_all.timer logrotate.timer \
  systemd-logind.service systemd-timesyncd.service getty.target console-getty.service conntrackd.service wpa_supplicant.service \
  systemd-update-utmp.service systemd-update-utmp-runlevel.service systemd-tmpfiles-clean.timer ldconfig.service; do
  systemctl mask "$unit" >/dev/null 2>&1 || true
done
rm -f /etc/machine-id /var/lib/dbus/machine-id
touch /etc/machine-id
