import { comparePorts, formatPortRange } from '../core/ports.ts';
import type { PortProtocol } from './model.ts';

/** Sorted, each once: firewalld's lists are sets. */
export function normaliseStrings(values: Iterable<string>): string[] {
  const list = [...values];
  // Usually the list is sorted already, and sorting 100,000 texts takes a tenth of a second.
  if (list.every((value, index) => index === 0 || list[index - 1]! < value)) return list;
  return [...new Set(list)].sort();
}

/** Sorted, each once; ranges stay as they were given. */
export function normalisePorts(ports: Iterable<PortProtocol>): PortProtocol[] {
  const byText = new Map<string, PortProtocol>();
  for (const port of ports) byText.set(formatPort(port), port);
  return [...byText.values()].sort(comparePorts);
}

/** `8442/tcp`, as firewall-cmd prints it. */
export function formatPort(port: PortProtocol): string {
  return `${formatPortRange(port.range)}/${port.protocol}`;
}
