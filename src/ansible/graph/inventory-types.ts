import type { Problem, SourceLocation } from '../../core/problem.ts';
import type { YamlPath } from '../../documents/yaml-document.ts';
import type { Variables } from './variables.ts';

/** A group of an inventory. */
export interface InventoryGroup {
  readonly name: string;
  /** The groups directly below, in the order of the files. */
  readonly children: readonly string[];
  /** The hosts that the group itself names, in the order of the files. */
  readonly hosts: readonly string[];
  /** The hosts of the group and of all groups below it, each once. */
  readonly allHosts: readonly string[];
  /** Where the group is first written; `null` for a built-in one that no file mentions. */
  readonly location: SourceLocation | null;
}

/** A host of an inventory with its variables merged by Ansible's precedence. */
export interface InventoryHost {
  /** `inventory_hostname`. */
  readonly name: string;
  /** Every group it belongs to, directly or not, sorted, without `all` (`group_names`). */
  readonly groups: readonly string[];
  /** Its variables, with `inventory_hostname`, `inventory_hostname_short` and `group_names` among them. */
  readonly variables: Variables;
  /** Where it is first written. */
  readonly location: SourceLocation;
  /** Where the winning value of a variable, or of a part of it, was written; `null` when it is not set by a file. */
  origin(variable: string, path?: YamlPath, at?: 'key' | 'value'): SourceLocation | null;
}

/** What inventory files say, as Ansible understands them. */
export interface Inventory {
  /** The files that were read, as the user named them. */
  readonly files: readonly string[];
  /** Hosts in the order in which Ansible lists `all`. */
  readonly hosts: ReadonlyMap<string, InventoryHost>;
  /** The same hosts in the order in which they were first written, which is how patterns find them. */
  readonly asWritten: readonly string[];
  /** Groups in the order in which they were first written, `all` and `ungrouped` first. */
  readonly groups: ReadonlyMap<string, InventoryGroup>;
  /** Warnings: the run can continue. */
  readonly warnings: readonly Problem[];
}
