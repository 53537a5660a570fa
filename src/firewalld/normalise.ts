import { comparePorts, formatPortRange } from '../core/ports.ts';
import type { PortProtocol } from './model.ts';

/** Sorted, each once: firewalld's lists are sets. */
export function normaliseStrings(values: Iterable<string>): string[] {
  return [...new Set(values)].sort();
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
