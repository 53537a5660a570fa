/**
 * For shell scripts on a host of the lab: waits until firewalld has loaded its rules, or has failed to. systemd calls it
 * started as soon as its bus name is there, and its rules come later: who looks in between sees an open host.
 */
export const AWAIT_FIREWALLD = `timeout 60 sh -c 'until firewall-cmd --state 2>&1 | grep -qE "^(running|failed)$"; do sleep 0.05; done'`;

const WITH_ITS_RULES = `${AWAIT_FIREWALLD}\nfirewall-cmd --quiet --state`;

/** Starts firewalld afresh and waits for its rules; the script ends where it cannot load them. */
export const RESTART_FIREWALLD = `systemctl restart firewalld.service\n${WITH_ITS_RULES}`;

/** Starts firewalld and waits for its rules; the script ends where it cannot load them. */
export const START_FIREWALLD = `systemctl start firewalld.service\n${WITH_ITS_RULES}`;
