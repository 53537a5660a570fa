import type { SourceLocation } from '../core/problem.ts';
import { shown } from '../core/shown.ts';
import { suggestion } from '../core/suggest.ts';
import type { YamlFile } from '../documents/yaml-document.ts';
import type { RoleCluster } from '../settings/clusters.ts';
import type { Matrix } from './matrix.ts';
import type { ClusterEntry, MatrixFile } from './matrix-schema.ts';
import type { Checked } from './schema-problems.ts';

/** The file whose clusters are resolved. */
export interface ClusterContext {
  readonly written: MatrixFile;
  readonly yaml: YamlFile;
  readonly checked: Checked;
  readonly base: Matrix | null;
  /** Names of the roles that the file defines, valid or not, and of those that it inherits. */
  readonly roles: ReadonlySet<string>;
  readonly features: ReadonlySet<string>;
  readonly report: (code: string, what: string, solve: string, location: SourceLocation) => void;
}

/**
 * The clusters of a matrix: those of the base without `drop_clusters`, and the file's own, which replace the base's of the
 * same name. A dropped role is also removed from the base's clusters.
 */
export function mergeClusters(context: ClusterContext): ReadonlyMap<string, RoleCluster> {
  const { written, yaml, checked, base, roles, features, report } = context;
  const own: [string, ClusterEntry][] = checked.usable(['clusters']) ? Object.entries(written.clusters ?? {}) : [];
  const clusters = new Map<string, RoleCluster>();
  for (const [name, cluster] of base?.clusters ?? []) {
    const left = cluster.roles.filter((role) => roles.has(role));
    if (left.length > 0) clusters.set(name, { ...cluster, roles: left });
  }
  dropClusters(
    context,
    own.map(([name]) => name),
    clusters,
  );
  for (const [name, entry] of own) {
    if (!checked.sound(['clusters', name])) continue;
    for (const [index, role] of entry.roles.entries()) {
      if (roles.has(role)) continue;
      const at = yaml.locate(['clusters', name, 'roles', index]);
      report('unknown-role', `there is no role ${shown(role)}`, suggestion(role, roles, 'roles'), at);
    }
    const feature = entry.feature ?? null;
    if (feature !== null && !features.has(feature)) {
      const at = yaml.locate(['clusters', name, 'feature']);
      report('unknown-feature', `there is no feature ${shown(feature)}`, suggestion(feature, features, 'features'), at);
    }
    clusters.set(name, {
      name,
      description: entry.description,
      roles: [...new Set(entry.roles)],
      feature,
      filtered: entry.filtered ?? false,
    });
  }
  return clusters;
}

function dropClusters(
  { written, yaml, checked, base, report }: ClusterContext,
  own: readonly string[],
  clusters: Map<string, RoleCluster>,
): void {
  if (written.drop_clusters === undefined || !checked.usable(['drop_clusters'])) return;
  const dropped = new Set<string>();
  for (const [index, name] of written.drop_clusters.entries()) {
    if (!checked.sound(['drop_clusters', index])) continue;
    const at = yaml.locate(['drop_clusters', index]);
    if (base === null) {
      const solve = 'Name the base with "extends", or leave "drop_clusters" out';
      report('nothing-to-drop', 'there is no base to drop a cluster from', solve, at);
    } else if (own.includes(name)) {
      const solve = 'Do one of the two; a cluster under "clusters" replaces the base\'s';
      report('contradiction', `the cluster ${shown(name)} is both dropped and defined`, solve, at);
    } else if (!base.clusters.has(name) || dropped.has(name)) {
      const solve = dropped.has(name)
        ? 'It is in the list twice: keep one'
        : suggestion(name, base.clusters.keys(), 'clusters');
      report('nothing-to-drop', `${shown(base.name)} has no cluster ${shown(name)} to drop`, solve, at);
    }
    dropped.add(name);
    clusters.delete(name);
  }
}
