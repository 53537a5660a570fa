import { Secret } from './secret.ts';

/** The environment variables that passwords come from; the values never appear in an argument list. */
export const SECRET_VARIABLES = {
  becomePassword: 'PORTFW_BECOME_PASSWORD',
  sshPassword: 'PORTFW_SSH_PASSWORD',
  keyPassphrase: 'PORTFW_KEY_PASSPHRASE',
  vaultPassword: 'PORTFW_VAULT_PASSWORD',
} as const;

/** One of the secrets that the environment can hold. */
export type SecretName = keyof typeof SECRET_VARIABLES;

/** The secret from the environment, or `null`; an empty variable counts as absent. */
export function secretFromEnvironment(name: SecretName, environment: NodeJS.ProcessEnv = process.env): Secret | null {
  const value = environment[SECRET_VARIABLES[name]];
  return value === undefined || value === '' ? null : new Secret(value);
}

/** An environment without portfw's secrets, for programs that portfw starts. */
export function withoutSecrets(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const secrets: ReadonlySet<string> = new Set(Object.values(SECRET_VARIABLES));
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !secrets.has(name)));
}
