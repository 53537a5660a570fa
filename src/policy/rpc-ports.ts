import type { Protocol } from '../core/ports.ts';
import type { RpcFacts } from '../facts/facts.ts';

/** Program numbers of the RPC services that a matrix may name (rpc(5)). */
const PROGRAMS: Readonly<Record<string, number>> = {
  mountd: 100005,
  nlockmgr: 100021,
  status: 100024,
  rquotad: 100011,
  nfs: 100003,
};

/** The ports on which the host's portmapper has an RPC program, sorted; empty when it is not registered. */
export function rpcPorts(program: string, protocol: Protocol, registrations: readonly RpcFacts[]): number[] {
  const number = PROGRAMS[program];
  const ports = registrations
    .filter((item) => item.protocol === protocol && (item.service === program || item.program === number))
    .map((item) => item.port);
  return [...new Set(ports)].sort((a, b) => a - b);
}
