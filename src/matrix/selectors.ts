import type { MatrixRule } from './matrix.ts';
import { formatRulePort } from './rules.ts';

/**
 * The selectors of `portfw_allow_from` that mean a rule, the most specific first: `role/interface/protocol/port`,
 * `role/protocol/port`, `role/port`, `role`. Interface class, port and range are written as in the matrix.
 */
export function ruleSelectors(rule: Pick<MatrixRule, 'role' | 'interface' | 'protocol' | 'port'>): readonly string[] {
  const port = formatRulePort(rule.port);
  return [
    `${rule.role}/${rule.interface}/${rule.protocol}/${port}`,
    `${rule.role}/${rule.protocol}/${port}`,
    `${rule.role}/${port}`,
    rule.role,
  ];
}
