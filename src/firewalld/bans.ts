/**
 * A rich rule that does nothing but refuse a source, as fail2ban writes it. In firewalld's own spelling; the same is in
 * src/host/bans.py. One that names a service of ours is none: the service may go.
 */
const BAN =
  /^rule( priority="-?[0-9]{1,5}")?( family="ipv[46]")? source address="(?![^"]*\/0")[0-9A-Fa-f.:/]{2,90}"( (service name="(?!portfw-)[^"]+"|port port="[^"]+" protocol="[a-z]+"|protocol value="[^"]+"))?( log( (prefix|level)="[^"]*")*( limit value="[^"]*")?)? (drop|reject( type="[a-z0-9-]+")?)$/;

/** Whether a rich rule is a ban: others put those into zones of ours as well, and there they stay. */
export function isBan(rule: string): boolean {
  return BAN.test(rule);
}
