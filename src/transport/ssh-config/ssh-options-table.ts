import type { Fault } from '../../core/failure.ts';

/**
 * Every option of the OpenSSH client, in one table for ssh_config files and for `-o`: how its value is written, and what
 * portfw does with it. Source: ssh_config(5) up to OpenSSH 10; options of Debian's, Red Hat's and Apple's builds.
 */

type PlainSyntax = 'flag' | 'word' | 'words' | 'number' | 'time' | 'port' | 'command' | 'jump' | 'free';

/** How a value is written. */
export type Syntax =
  /** `free` is anything: we do not look at it. */
  | { readonly kind: PlainSyntax }
  /** One of these words, each with its meaning. */
  | { readonly kind: 'choice'; readonly values: Readonly<Record<string, string>> };

/** An option that asks for what we cannot do; `what` follows the option's name. */
export interface Unmet extends Fault {
  /** Values that ask for nothing, in lower case; `no` and `none` always do. */
  readonly idle?: readonly string[];

  /** How it is reported where the inventory's SSH arguments set it. */
  readonly inArguments: 'error' | 'warning';
  /** Where in ssh_config it is reported: `user-file` leaves out the system's file, where distributions set it for all users. */
  readonly inFiles: 'warning' | 'user-file' | 'silent';
}

export interface OptionSpec {
  /** As the manual writes it. */
  readonly name: string;
  readonly syntax: Syntax;
  /** `used`: changes how we connect. `harmless`: tunes OpenSSH itself. Otherwise it is reported. */
  readonly treatment: 'used' | 'harmless' | Unmet;
}

const YES_NO = { yes: 'yes', true: 'yes', no: 'no', false: 'no' };

const USED: Readonly<Record<string, PlainSyntax | Readonly<Record<string, string>>>> = {
  AddressFamily: { any: 'any', inet: 'inet', inet6: 'inet6' },
  BindAddress: 'word',
  CanonicalizeHostname: { ...YES_NO, always: 'always' },
  CertificateFile: 'word',
  ConnectTimeout: 'time',
  GlobalKnownHostsFile: 'words',
  HashKnownHosts: 'flag',
  HostKeyAlgorithms: 'word',
  HostKeyAlias: 'word',
  HostName: 'word',
  IdentitiesOnly: 'flag',
  IdentityAgent: 'word',
  IdentityFile: 'word',
  IgnoreUnknown: 'word',
  KbdInteractiveAuthentication: 'flag',
  PasswordAuthentication: 'flag',
  Port: 'port',
  PreferredAuthentications: 'word',
  ProxyCommand: 'command',
  ProxyJump: 'jump',
  ProxyUseFdpass: 'flag',
  PubkeyAuthentication: { ...YES_NO, unbound: 'yes', 'host-bound': 'yes' },
  RefuseConnection: 'word',
  ServerAliveCountMax: 'number',
  ServerAliveInterval: 'time',
  StrictHostKeyChecking: { ...YES_NO, false: 'no', off: 'no', ask: 'ask', 'accept-new': 'accept-new' },
  Tag: 'word',
  User: 'word',
  UserKnownHostsFile: 'words',
};

/** Without an effect on us: connection sharing, terminals, forwarding, OpenSSH's own output, what only relaxes a check. */
const HARMLESS = `AddKeysToAgent BatchMode CanonicalDomains CanonicalizeFallbackLocal CanonicalizeMaxDots
  CanonicalizePermittedCNAMEs CASignatureAlgorithms ChannelTimeout CheckHostIP ClearAllForwardings Compression
  CompressionLevel ConnectionAttempts ControlMaster ControlPath ControlPersist EnableEscapeCommandline EnableSSHKeysign
  EscapeChar ExitOnForwardFailure FingerprintHash ForkAfterAuthentication ForwardAgent ForwardX11 ForwardX11Timeout
  ForwardX11Trusted GatewayPorts GSSAPIClientIdentity GSSAPIDelegateCredentials GSSAPIKexAlgorithms GSSAPIKeyExchange
  GSSAPIRenewalForcesRekey GSSAPIServerIdentity GSSAPITrustDns HostbasedAcceptedAlgorithms HostbasedKeyTypes IPQoS
  KbdInteractiveDevices LocalCommand LogLevel LogVerbose NoHostAuthenticationForLocalhost NumberOfPasswordPrompts
  ObscureKeystrokeTiming PermitRemoteOpen Protocol RekeyLimit RequestTTY SendEnv SessionType SetEnv StdinNull
  StreamLocalBindMask StreamLocalBindUnlink SyslogFacility TCPKeepAlive KeepAlive UpdateHostKeys UseKeychain
  VerifyHostKeyDNS VersionAddendum VisualHostKey WarnWeakCrypto XAuthLocation AFSTokenPassing Cipher FallBackToRsh
  GlobalKnownHostsFile2 KerberosAuthentication KerberosTGTPassing RhostsAuthentication RhostsRSAAuthentication
  RSAAuthentication UsePrivilegedPort UseRoaming UserKnownHostsFile2 UseRsh`.split(/\s+/);

const OWN_ALGORITHMS: Unmet = {
  what: 'is ignored: portfw offers the algorithms of its own SSH library, strong ones first',
  solve: 'Leave it out for these hosts, or go on: the host decides what it accepts',
  inArguments: 'error',
  inFiles: 'user-file',
};
const NO_FORWARDING: Unmet = {
  what: 'is not supported: portfw forwards nothing',
  solve: 'Remove it, or use the matching ansible_* connection variable',
  inArguments: 'error',
  inFiles: 'silent',
};
const NO_TOKENS: Unmet = {
  what: 'is not supported: keys on tokens (PKCS#11, FIDO) cannot be used directly',
  solve: 'Load the key into an agent, or name a plain key with IdentityFile',
  inArguments: 'error',
  inFiles: 'warning',
};

const UNMET: Readonly<Record<string, readonly [PlainSyntax, Unmet]>> = {
  BindInterface: [
    'word',
    {
      what: 'is ignored: the system chooses the interface',
      solve: 'Use BindAddress with the address of the interface',
      inArguments: 'error',
      inFiles: 'warning',
    },
  ],
  Ciphers: ['word', OWN_ALGORITHMS],
  MACs: ['word', OWN_ALGORITHMS],
  KexAlgorithms: ['word', OWN_ALGORITHMS],
  PubkeyAcceptedAlgorithms: ['word', OWN_ALGORITHMS],
  RequiredRSASize: ['number', OWN_ALGORITHMS],
  DynamicForward: ['free', NO_FORWARDING],
  LocalForward: ['free', NO_FORWARDING],
  RemoteForward: ['free', NO_FORWARDING],
  Tunnel: ['free', NO_FORWARDING],
  TunnelDevice: ['free', NO_FORWARDING],
  PermitLocalCommand: [
    'flag',
    {
      what: 'is ignored: portfw runs no LocalCommand',
      solve: 'Run the command yourself if the connection needs it',
      inArguments: 'warning',
      inFiles: 'warning',
    },
  ],
  RemoteCommand: [
    'command',
    {
      what: 'is not run: portfw runs its own programs on the host',
      solve: 'Leave it out for these hosts: "Match host … " blocks can keep it for others',
      inArguments: 'error',
      inFiles: 'warning',
    },
  ],
  PKCS11Provider: ['word', NO_TOKENS],
  SecurityKeyProvider: ['word', { ...NO_TOKENS, idle: ['internal'] }],
  KnownHostsCommand: [
    'command',
    {
      what: 'is not run: host keys that only this command knows count as unknown',
      solve: 'Record the host keys in a known_hosts file',
      inArguments: 'error',
      inFiles: 'warning',
    },
  ],
  RevokedHostKeys: [
    'words',
    {
      what: 'is not read: keys that it revokes are refused only where known_hosts marks them @revoked',
      solve: 'Add @revoked lines to known_hosts',
      inArguments: 'error',
      inFiles: 'warning',
    },
  ],
  GSSAPIAuthentication: [
    'flag',
    {
      what: 'is not supported: Kerberos tickets are not used to log in',
      solve: 'Log in with a key or an agent',
      inArguments: 'warning',
      inFiles: 'user-file',
    },
  ],
  HostbasedAuthentication: [
    'flag',
    {
      what: "is not supported: this machine's own host key is not used to log in",
      solve: 'Log in with a key or an agent',
      inArguments: 'warning',
      inFiles: 'user-file',
    },
  ],
};

/** Older names of options, which OpenSSH still takes. */
const ALIASES: Readonly<Record<string, string>> = {
  ChallengeResponseAuthentication: 'KbdInteractiveAuthentication',
  DSAAuthentication: 'PubkeyAuthentication',
  IdentityFile2: 'IdentityFile',
  PubkeyAcceptedKeyTypes: 'PubkeyAcceptedAlgorithms',
  SKeyAuthentication: 'KbdInteractiveAuthentication',
  SmartcardDevice: 'PKCS11Provider',
  TISAuthentication: 'KbdInteractiveAuthentication',
};

/** The options by their names in lower case. */
export const OPTIONS: ReadonlyMap<string, OptionSpec> = table();

function table(): Map<string, OptionSpec> {
  const options = new Map<string, OptionSpec>();
  const add = (spec: OptionSpec): void => void options.set(spec.name.toLowerCase(), spec);
  for (const [name, how] of Object.entries(USED)) {
    const syntax: Syntax = typeof how === 'string' ? { kind: how } : { kind: 'choice', values: how };
    add({ name, syntax, treatment: 'used' });
  }
  for (const name of HARMLESS) add({ name, syntax: { kind: 'free' }, treatment: 'harmless' });
  for (const [name, [kind, unmet]] of Object.entries(UNMET)) add({ name, syntax: { kind }, treatment: unmet });
  for (const [alias, name] of Object.entries(ALIASES))
    options.set(alias.toLowerCase(), options.get(name.toLowerCase())!);
  return options;
}
