/** One setting that counts, with its value and what set it. */
export interface SettingRow {
  readonly name: string;
  readonly value: string;
  readonly from: string;
}

/** Settings under a title. */
export interface SettingGroup {
  readonly title: string;
  readonly rows: readonly SettingRow[];
}

/** The settings of one host; its address is its own, even where it shares all else with other hosts. */
export interface HostRows {
  readonly host: string;
  readonly address: SettingRow;
  readonly rows: readonly SettingRow[];
}

/** Hosts that share all values, with what set them, are one group, in the order of their first host. */
export function hostGroups(hosts: readonly HostRows[]): readonly SettingGroup[] {
  const groups = new Map<string, HostRows[]>();
  for (const host of hosts) {
    const key = JSON.stringify(host.rows);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [host]);
    else group.push(host);
  }
  return [...groups.values()].map((members) => ({
    title: members.map(({ host }) => host).join(', '),
    rows: [
      ...members.map(({ host, address }) =>
        members.length === 1 ? address : { ...address, name: `${address.name} of ${host}` },
      ),
      ...members[0]!.rows,
    ],
  }));
}
