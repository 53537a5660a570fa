import type { RichRule } from './rich-rule.ts';

/**
 * A rich rule that does nothing but refuse a source, as fail2ban writes it. In firewalld's own spelling; the same is in
 * src/host/remote/bans.py. A rule that names a portfw service is none: the service may be deleted.
 */
const BAN =
  /^rule( priority="-?[0-9]{1,5}")?( family="ipv[46]")? source address="(?![^"]*\/0")[0-9A-Fa-f.:/]{2,90}"( (service name="(?!portfw-)[^"]+"|port port="[^"]+" protocol="[a-z]+"|protocol value="[^"]+"))?( log( (prefix|level)="[^"]*")*( limit value="[^"]*")?)? (drop|reject( type="[a-z0-9-]+")?)$/;

/** Whether a rich rule is a ban: others put bans into portfw zones as well, and portfw keeps them there. */
export function isBan({ text }: RichRule): boolean {
  return BAN.test(text);
}
