/** By the name of a lab's host, a file of somebody else that keeps its firewalld from loading: 0.9 ignores what it cannot parse, and dies of an overlap. */
export const UNLOADABLE: Readonly<Record<string, readonly [path: string, text: string]>> = {
  old: [
    '/etc/firewalld/zones/foreign.xml',
    '<zone><source address="198.51.100.240/29"/><port port="1000-2000" protocol="tcp"/><port port="1500" protocol="tcp"/></zone>',
  ],
  middle: ['/etc/firewalld/helpers/foreign.xml', '<helper'],
  young: ['/etc/firewalld/helpers/foreign.xml', '<helper'],
};
