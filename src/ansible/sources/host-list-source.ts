import { fileItself, type Problem } from '../../core/problem.ts';
import { GraphWriter } from '../graph/graph-writer.ts';
import type { GroupGraph } from '../graph/group-graph.ts';

/**
 * Adds a list of hosts given in the place of a file (`-i web1,web2:2222,`): names or addresses, each perhaps with a port,
 * without ranges.
 */
export function readHostList(text: string, graph: GroupGraph): Problem[] {
  const writer = new GraphWriter(graph, text);
  const location = fileItself(text);
  for (const part of text.split(',')) {
    const name = part.trim();
    if (name === '') continue;
    if (/\[[^\]]*:[^\]]*\](?!:\d+$)/.test(name)) {
      writer.error(
        location,
        'bad-range',
        `a list of hosts takes no ranges, and "${name}" is one`,
        'Write the names out',
      );
      continue;
    }
    // A host that an earlier source has stays in its groups.
    const [known] = expandedName(name);
    if (known !== undefined && graph.hosts.has(known)) continue;
    writer.hosts(graph.ungrouped, name, location);
  }
  return writer.problems;
}

function expandedName(name: string): readonly string[] {
  return [name.replace(/^\[(.+)\]:\d+$/, '$1').replace(/^([^:]*):\d+$/, '$1')];
}
