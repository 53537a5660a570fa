import { z } from 'zod';
import { hasUnshowable } from '../core/shown.ts';
import { INTERFACE_CLASSES, type InterfaceClass } from '../settings/settings-types.ts';

/** One port (`8442`), one range (`8903-8904`), an RPC program (`rpc:mountd`), or a list of these, as written. */
type PortsEntry = number | string | readonly (number | string)[];

/** One line or a few lines of a vendor's table that share a purpose. */
export interface PortRow {
  readonly tcp?: PortsEntry | undefined;
  readonly udp?: PortsEntry | undefined;
  readonly from?: string | undefined;
  readonly from_public?: string | undefined;
  readonly administration?: boolean | undefined;
  readonly feature?: string | undefined;
  readonly helper?: string | undefined;
  readonly purpose: string;
  readonly source?: string | undefined;
  readonly note?: string | undefined;
}

/** Rules of one interface class; its source, sender, feature and note apply to each row without its own. */
export interface RuleGroup {
  readonly interface: InterfaceClass;
  readonly source?: string | undefined;
  readonly from?: string | undefined;
  readonly from_public?: string | undefined;
  readonly feature?: string | undefined;
  readonly note?: string | undefined;
  readonly ports: readonly PortRow[];
}

/** One detector: a socket (with or without the process that owns it), a process, a unit, a package or a file. */
export interface DetectorEntry {
  readonly socket?: string | undefined;
  readonly process?: string | readonly string[] | undefined;
  readonly unit?: string | undefined;
  readonly package?: string | undefined;
  readonly file?: string | undefined;
  readonly weight: number;
}

/** A role as a matrix file writes it. */
export interface RoleEntry {
  readonly title?: string | undefined;
  readonly every_host?: boolean | undefined;
  readonly appliance?: boolean | undefined;
  readonly interface_choices?: readonly InterfaceClass[] | undefined;
  readonly detectors?: readonly DetectorEntry[] | undefined;
  readonly rules?: readonly RuleGroup[] | undefined;
  readonly add?: readonly RuleGroup[] | undefined;
  readonly replace?: readonly RuleGroup[] | undefined;
  readonly drop?: readonly string[] | undefined;
}

/** A peer set as a matrix file writes it. */
export interface PeerEntry {
  readonly description: string;
  readonly role?: string | readonly string[] | undefined;
  readonly site?: boolean | undefined;
}

/** Roles that form a cluster, as a matrix file writes them. */
export interface ClusterEntry {
  readonly description: string;
  readonly roles: readonly string[];
  readonly feature?: string | undefined;
  readonly filtered?: boolean | undefined;
}

/** A matrix file. */
export interface MatrixFile {
  readonly matrix: string;
  readonly title?: string | undefined;
  readonly extends?: string | undefined;
  readonly print?: { readonly document: string; readonly edition: string } | undefined;
  readonly features?: Readonly<Record<string, string>> | undefined;
  readonly peers?: Readonly<Record<string, PeerEntry>> | undefined;
  readonly clusters?: Readonly<Record<string, ClusterEntry>> | undefined;
  readonly drop_clusters?: readonly string[] | undefined;
  readonly drop_roles?: readonly string[] | undefined;
  readonly roles?: Readonly<Record<string, RoleEntry>> | undefined;
}

/** Lower-case words of letters and digits joined by hyphens: fit for `portfw-<role>-<interface>`, a firewalld service. */
const NAME = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/;

/** A name of portfw, at most `length` characters. */
function nameSchema(length: number): z.ZodString {
  return z.string().max(length).regex(NAME);
}

/** One line of text for people: neither control nor invisible characters. */
export function textSchema(length: number): z.ZodString {
  return z
    .string()
    .min(1)
    .max(length)
    .refine((text) => !hasUnshowable(text), { error: 'holds a line break, a control or an invisible character' });
}

/** The longest name of a matrix, a role or a feature. */
const MAX_NAME = 32;
/** The longest name of a peer set: an ipset's name has at most 31 characters, and portfw adds ten. */
const MAX_PEER_NAME = 20;

const name = nameSchema(MAX_NAME);
const peerName = nameSchema(MAX_PEER_NAME);

const onePort = z.union([
  z.number().meta({ minimum: 1, maximum: 65535, multipleOf: 1 }),
  z.string().meta({ pattern: '^(?:[0-9]{1,5}(?:-[0-9]{1,5})?|rpc:[a-z][a-z0-9_.-]*)$' }),
]);

function ports(protocol: string): z.ZodType<PortsEntry | undefined> {
  return z
    .union([...onePort.options, z.array(onePort).min(1)])
    .optional()
    .describe(
      `${protocol}: a port such as 8442, a range such as "8903-8904", an RPC program such as "rpc:mountd", or a list of these`,
    );
}

const from = z.string().optional().describe('who may connect: "any" (the default) or the name of a peer set');
const fromPublic = z
  .string()
  .optional()
  .describe('who may connect instead when portfw_role_interfaces puts the rule on the public side');
const feature = z.string().optional().describe('the feature that turns the rule on; without one the rule is always on');
const source = textSchema(200)
  .optional()
  .describe("where the vendor prints it, or who decided it; each row needs one, its own or the group's");
const note = textSchema(600).optional().describe('what is doubtful about the print');

const portRow: z.ZodType<PortRow> = z
  .strictObject({
    tcp: ports('TCP'),
    udp: ports('UDP'),
    from,
    from_public: fromPublic,
    administration: z
      .boolean()
      .optional()
      .describe('true for a port that administers the host: if portfw_management is set, it decides who may connect'),
    feature,
    helper: z
      .string()
      .meta({ enum: ['ftp', 'tftp'] })
      .optional()
      .describe('the connection tracking helper that the protocol needs: ftp or tftp'),
    purpose: textSchema(200).describe('what the port is for, in a few words of your own'),
    source,
    note,
  })
  .meta({
    description: 'one row: "tcp" and/or "udp", and a "purpose"',
    anyOf: [{ required: ['tcp'] }, { required: ['udp'] }],
  });

const ruleGroup: z.ZodType<RuleGroup> = z
  .strictObject({
    interface: z.enum(INTERFACE_CLASSES).describe('the interface class of the rules: public, private, vip or control'),
    source,
    from,
    from_public: fromPublic,
    feature,
    note,
    ports: z.array(portRow).min(1).describe('the rows of the group, one or more'),
  })
  .describe(
    'a group of rules: "interface" and "ports", with "source", "from", "from_public", "feature" and "note" for all of its rows',
  );

const processName = z
  .string()
  .min(1)
  .max(64)
  .regex(/^[A-Za-z0-9_][A-Za-z0-9_.:+@/-]*$/)
  .describe('the name of a process as the kernel shows it (comm)');

const detector: z.ZodType<DetectorEntry> = z
  .strictObject({
    socket: z
      .string()
      .meta({ pattern: '^(?:tcp|udp)/[0-9]{1,5}(?:-[0-9]{1,5})?$' })
      .optional()
      .describe('a listening socket such as "udp/5060" or "udp/35000-65000"; "process" may name who must own it'),
    process: z
      .union([processName, z.array(processName).min(1)])
      .optional()
      .describe('process names (comm), of which one must own the socket, or run when there is no "socket"'),
    unit: z
      .string()
      .max(128)
      .regex(/^[A-Za-z0-9][A-Za-z0-9:_.@-]*\.(?:service|socket|target|timer)$/)
      .optional()
      .describe('a systemd unit with its ending, such as "portasip-edge.service"'),
    package: z
      .string()
      .max(128)
      .regex(/^[A-Za-z0-9][A-Za-z0-9.+_-]*$/)
      .optional()
      .describe('the name of an installed package'),
    file: z
      .string()
      .max(256)
      .regex(/^\/[A-Za-z0-9._/+@-]+$/)
      .optional()
      .describe('the absolute path of a file or folder that exists'),
    weight: z.number().gt(0).lte(1).describe('how much confidence it adds, above 0 and up to 1'),
  })
  .describe('one detector: "socket", "process", "unit", "package" or "file", and a "weight"');

const groups = z.array(ruleGroup);

const role: z.ZodType<RoleEntry> = z
  .strictObject({
    title: textSchema(100).optional().describe('the component, as people call it'),
    every_host: z.boolean().optional().describe('true for a role that every managed host plays'),
    appliance: z.boolean().optional().describe('true for a device that portfw cannot log in to: it is only a peer'),
    interface_choices: z
      .array(z.enum(INTERFACE_CLASSES))
      .optional()
      .describe('interface classes that portfw_role_interfaces may choose from for this role'),
    detectors: z.array(detector).optional().describe('what on a host indicates the role'),
    rules: groups
      .optional()
      .describe("all rules of the role; in a matrix that extends another they replace the base's rules"),
    add: groups.optional().describe('rules to add to those of the base'),
    replace: groups
      .optional()
      .describe("rules that replace the base's rules for the same interface, protocol and port"),
    drop: z
      .array(z.string())
      .optional()
      .describe('rules of the base to leave out: "udp/5070", or "vip/udp/5070" for one interface only'),
  })
  .describe('a role: "title", "detectors" and "rules"; or "add", "replace" and "drop" for a role of the base');

/** What a matrix file may hold. */
export const matrixSchema: z.ZodType<MatrixFile> = z
  .strictObject({
    matrix: name.describe('the name of the matrix: lower-case letters, digits and hyphens, at most 32 characters'),
    title: textSchema(100).optional().describe('the system, as people call it'),
    extends: z
      .string()
      .min(1)
      .optional()
      .describe("the matrix to start from: a shipped one's name, or the path of a file, relative to this one"),
    print: z
      .strictObject({
        document: textSchema(200).describe("the title of the vendor's document"),
        edition: textSchema(200).describe('the maintenance release or the date of the print, as far as it is known'),
      })
      .optional()
      .describe('which print of the vendor\'s table the matrix follows: "document" and "edition"'),
    features: z
      .record(name, textSchema(200))
      .optional()
      .describe('features that are off until the inventory turns them on: name and description'),
    peers: z
      .record(
        peerName,
        z
          .strictObject({
            description: textSchema(200).describe('who they are'),
            role: z
              .union([z.string(), z.array(z.string()).min(1)])
              .optional()
              .describe('the role, or roles, whose hosts are the peers when the inventory names none'),
            site: z
              .boolean()
              .optional()
              .describe("true for only the hosts of the host's own site; without a role, all of the site's servers"),
          })
          .describe('a peer set: "description", and optionally "role" and "site"'),
      )
      .optional()
      .describe('named sets of machines that a rule\'s "from" may be'),
    clusters: z
      .record(
        name,
        z
          .strictObject({
            description: textSchema(100).describe('what people call it, such as "SIP cluster"'),
            roles: z.array(z.string()).min(1).describe('the roles whose hosts on one site are its members'),
            feature: z.string().optional().describe('the feature without which these hosts are not a cluster'),
            filtered: z
              .boolean()
              .optional()
              .describe(
                'true if the members stay filtered from each other; they are still never changed at the same time',
              ),
          })
          .describe('a cluster: "description" and "roles", and optionally "feature" and "filtered"'),
      )
      .optional()
      .describe(
        'roles whose hosts on one site are a cluster: never filtered from each other, never changed at the same time',
      ),
    drop_clusters: z.array(z.string()).optional().describe('clusters of the base to leave out'),
    drop_roles: z.array(z.string()).optional().describe('roles of the base to leave out'),
    roles: z.record(name, role).optional().describe('the roles: name and rules'),
  })
  .describe('a port matrix: "matrix", "title", "print" and "roles", or "matrix", "extends" and what is different');
