import { terminalLine } from '../../core/terminal-text.ts';
import type { ConnectFailure } from '../connection.ts';
import { type AuthSequence, authFailureText } from './auth-sequence.ts';
import { type LoginGoal, type RefusedLogin, where } from './login-words.ts';

/** The messages for failed logins. */

/** A refused login: what was tried, and what the server accepts. */
export function refusal(
  goal: LoginGoal,
  sequence: AuthSequence,
  notes: readonly string[],
  level: string | undefined,
  said: string,
): ConnectFailure {
  const { tried, offered } = sequence;
  const text = authFailureText(goal, sequence, notes);
  const failure = { kind: 'auth-failed', tried, offered } as const;
  if (level === 'client-authentication') return { ...failure, ...text };
  if (/too many authentication failures/i.test(said)) {
    const solve = `Too many keys were offered before the right one: name it with ${goal.words.key}`;
    return { ...failure, ...continued(text, `; the ${goal.words.role} then said: ${said}`, solve) };
  }
  if (level === 'agent') {
    return {
      ...failure,
      what: `The agent failed: ${said}`,
      solve: 'See whether "ssh-add -l" and "ssh" work on this machine',
    };
  }
  // A server that closes the connection during a login has refused it (a locked account, a policy): do not retry.
  return { ...failure, ...continued(text, `; the connection ended: ${said}`, text.solve) };
}

/** A refused login with more of what happened. */
function continued({ what, shared }: RefusedLogin, more: string, solve: string): RefusedLogin {
  return { what: what + more, solve, shared: { ...shared, what: shared.what + more, solve } };
}

/** No SSH identification. @param preamble what the server sent instead; @param ended why the connection ended */
export function noIdentification(
  goal: LoginGoal,
  preamble: string,
  timedOut: boolean,
  ended: string | null,
): ConnectFailure {
  const at = where(goal);
  const { words } = goal;
  const said = terminalLine(preamble);
  const seconds = goal.connectTimeoutMs / 1000;
  if (/not allowed at this time/i.test(said)) {
    return {
      kind: 'turned-away',
      reason: 'penalty-or-overload',
      what: `The SSH server at ${at} refuses this machine for now ("${said}"): it penalises failed logins, or has too many logins in progress`,
      solve:
        'Correct the credentials first, then wait a minute or two: each further failure makes a penalty longer (PerSourcePenalties and MaxStartups in sshd_config)',
    };
  }
  if (/exceeded maxstartups/i.test(said)) {
    return {
      kind: 'turned-away',
      reason: 'too-many-connections',
      what: `The SSH server at ${at} has too many logins in progress ("${said}")`,
      solve: 'Try again with fewer --forks, or raise MaxStartups in sshd_config',
    };
  }
  if (ended !== null) {
    return {
      kind: 'unreachable',
      what: timedOut ? `${at} did not answer within ${seconds} s: ${ended}` : `Cannot reach ${at}: ${ended}`,
      solve: 'Run the ProxyCommand by hand: an SSH server must answer on its standard output',
    };
  }
  if (timedOut) {
    return {
      kind: 'unreachable',
      what: `${at} accepted the connection but no SSH server answered within ${seconds} s`,
      solve: `Check ${words.port}, and that the ${words.role} is not hanging`,
    };
  }
  if (said !== '') {
    return {
      kind: 'protocol-failed',
      what: `${at} is not an SSH server; it said: ${said}`,
      solve: `Check ${words.address} and ${words.port}`,
    };
  }
  return {
    kind: 'turned-away',
    reason: 'unknown',
    what: `${at} closed the connection without a message`,
    solve:
      'The SSH server may be refusing this machine for a while after failed logins, have too many logins in progress, or be starting: wait a minute and check its log',
  };
}

/** A login that took too long. */
export function tooSlow(goal: LoginGoal): ConnectFailure {
  return {
    kind: 'unreachable',
    what: `${where(goal)} did not finish the login within ${goal.connectTimeoutMs / 1000} s`,
    solve: `The ${goal.words.role} may be overloaded, or slow to look up this machine's name (UseDNS); ${goal.words.timeout} raises the limit`,
  };
}

/** No algorithm in common, or a server that breaks the protocol. */
export function noCommonGround(goal: LoginGoal, said: string): ConnectFailure {
  return {
    kind: 'protocol-failed',
    what: `SSH negotiation with ${where(goal)} failed: ${said}`,
    solve:
      'The server is too old or too strict; it needs one of curve25519 or ECDH key exchange, AES-GCM or AES-CTR, and an Ed25519, ECDSA or RSA (SHA-2) host key',
  };
}

/** The connection was lost during the login. */
export function brokeOff(goal: LoginGoal, said: string): ConnectFailure {
  return {
    kind: 'unreachable',
    what: `The connection to ${where(goal)} was lost during the login: ${said}`,
    solve: `Look into the SSH log of the ${goal.words.role} (journalctl -u ssh -u sshd)`,
  };
}
