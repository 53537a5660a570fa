import type { ConnectFault, SshEndpoint } from '../connection.ts';

/**
 * The names of an endpoint's settings in a hint: for a host those of the inventory, for a jump host those of ssh_config.
 */
export interface LoginWords {
  readonly role: 'host' | 'jump host';
  readonly address: string;
  readonly port: string;
  readonly user: string;
  readonly key: string;
  readonly timeout: string;
}

const OF_HOST: LoginWords = {
  role: 'host',
  address: 'ansible_host',
  port: 'ansible_port',
  user: 'ansible_user',
  key: 'ansible_ssh_private_key_file',
  timeout: 'ansible_timeout',
};

const OF_JUMP_HOST: LoginWords = {
  role: 'jump host',
  address: 'ProxyJump and the HostName of the jump host',
  port: 'the Port of the jump host',
  user: 'the User of the jump host in ssh_config (or user@ in ProxyJump)',
  key: 'IdentityFile for the jump host in ssh_config',
  timeout: 'ConnectTimeout',
};

/** An SSH server to log in to, with its name and the names of its settings. */
export interface LoginGoal extends SshEndpoint {
  /** The inventory's name of a host, the address of a jump host. */
  readonly name: string;
  readonly words: LoginWords;
}

/** The goal of a login on a host. */
export function hostGoal(host: SshEndpoint & { readonly name: string }): LoginGoal {
  return { ...host, words: OF_HOST };
}

/** The goal of a login on a jump host. */
export function jumpGoal(hop: SshEndpoint): LoginGoal {
  return { ...hop, name: hop.address, words: OF_JUMP_HOST };
}

/** `address port N` for messages. */
export function where({ address, port }: Pick<SshEndpoint, 'address' | 'port'>): string {
  return `${address} port ${port}`;
}

/** A refused login, in words for one host and for many. @param why what follows the sentence */
export function refusedLogin({ user, address }: LoginGoal, why: string, solve: string): RefusedLogin {
  return {
    what: `${user}@${address} refused the login${why}`,
    solve,
    shared: { what: `the login as ${user} was refused${why}`, own: address, solve },
  };
}

/** See {@link refusedLogin}. */
export type RefusedLogin = Required<Pick<ConnectFault, 'what' | 'solve' | 'shared'>>;
