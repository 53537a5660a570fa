import { configName } from '../ansible/config/config-name.ts';
import type { AnsibleSettings } from '../ansible/config/config-types.ts';
import { Problem } from '../core/problem.ts';
import { RECORD_HOST_KEYS } from '../transport/logins.ts';

/** Ansible's own switch for the check of host keys is never followed, and says so where it is off. */
export function hostKeyWarnings({ hostKeyChecking }: Pick<AnsibleSettings, 'hostKeyChecking'>): readonly Problem[] {
  if (hostKeyChecking === null || hostKeyChecking.value) return [];
  const { origin } = hostKeyChecking;
  return [
    new Problem({
      severity: 'warning',
      code: 'host-keys-unchecked',
      what: `${configName(origin)} = False is not followed: host keys are checked all the same`,
      solve: RECORD_HOST_KEYS,
      location: origin.kind === 'file' ? origin.location : null,
    }),
  ];
}
