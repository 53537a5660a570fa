import { foldedLine } from '../core/folded-line.ts';

/** Shown below `portfw --help`. */
export const PROGRAM_HELP = `
Examples:
  portfw lint inventory.yaml                  all errors and warnings about your files
  portfw detect inventory.yaml                which roles each host plays, with the evidence
  portfw plan inventory.yaml                  what would change, and why; changes nothing
  portfw apply inventory.yaml                 shows the plan, asks, applies and verifies it
  portfw apply inventory.yaml --limit 'web:!web3' --yes
  portfw rollback inventory.yaml --limit web1 restores the newest generation that differs

Exit codes:
  0    done
  1    a host failed, was refused or was rolled back, or the plan was declined
  2    changes are pending (plan --detailed-exitcode)
  3    a host could not be reached
  4    bad input or usage; no host was contacted
  5    another run on a host has not ended (plan --detailed-exitcode)
  130  interrupted
  If several apply, the first in this order is used: 4, 130, 1, 3, 5, 2, 0.

Environment:
  PORTFW_BECOME_PASSWORD  the password for sudo
  PORTFW_SSH_PASSWORD     the password for SSH, where no key is accepted
  PORTFW_KEY_PASSPHRASE   the passphrase of an encrypted private key
  PORTFW_VAULT_PASSWORD   the password of vaults; ANSIBLE_VAULT_PASSWORD_FILE as with Ansible
  PORTFW_INVENTORY_TIMEOUT  seconds that an executable inventory may take (60)
  NO_COLOR                set to anything: no colours
  Passwords come from there or from a prompt (-K, -k, -J), never from the command line.

Interrupting:
  Ctrl-C once: no new hosts are started, and hosts in progress are finished.
`;

/** Shown below the help of each command. */
export const COMMAND_HELP: Readonly<Record<string, string>> = {
  inventory: `
Examples:
  portfw inventory inventory.yaml             its groups and hosts as a tree
  portfw inventory inventory.yaml --list      the document of ansible-inventory --list
  portfw inventory inventory.yaml --host web1 the variables of one host
  portfw inventory inventory.yaml --settings  every setting that counts, and where it comes from
  portfw inventory -i hosts.ini -i cloud.sh   several, as with Ansible: INI, an executable, a folder, "web1,web2"
`,
  matrix: `
A matrix is one that ships with portfw, by name, or a file of your own, by a path that ends in .yaml.

Examples:
  portfw matrix                               the matrices that ship with portfw
  portfw matrix portaswitch                   its port table
  portfw matrix portaswitch --json            as JSON, one row per line
  portfw matrix portaswitch --compare portaswitch-ocs
`,
  facts: `
Reads only: one connection and one remote command per host.

Examples:
  portfw facts inventory.yaml
  portfw facts inventory.yaml --limit web1 --json
`,
  detect: `
Reads only. A role that the inventory declares wins over the evidence; a contradiction is a warning. Evidence that
fits several roles is an error: declare the role with portfw_roles.

Examples:
  portfw detect inventory.yaml
  portfw detect inventory.yaml --limit 'sip*'
`,
  plan: `
The same as "portfw apply --dry-run": reads only. With --detailed-exitcode the exit code is 0 when there is nothing to do,
2 when changes are pending, and 5 when another run on a host has not ended, so that the plan may soon be wrong.

Examples:
  portfw plan inventory.yaml
  portfw plan inventory.yaml --detailed-exitcode --json
  portfw plan inventory.yaml --out change.plan.json --sign ~/.ssh/id_ed25519
`,
  apply: `
Plans all hosts, shows what would change and asks; then changes them batch by batch, as "serial" in the playbook says.
Without a terminal it needs --yes. Who applied what is written to a journal (--journal, --no-journal).

A plan is refused if it would cut portfw's own SSH or that of portfw_management; --accept-lockout HOST continues with that host.
It is also refused if it would stop traffic that the host forwards now; --accept-forwarding-stop HOST continues.
An automatic rollback is armed on each host before the first write. Unless a new connection verifies and keeps the change within
--revert-after, the host rolls back by itself, even if portfw or the network has failed.

Examples:
  portfw apply inventory.yaml
  portfw apply inventory.yaml --limit web --yes
  portfw apply inventory.yaml --dry-run
  portfw apply inventory.yaml --confirm manual --revert-after 15m
  portfw apply change.plan.json               a saved plan: exactly what was saved, or nothing
  portfw apply change.plan.json --only-current --require-signature allowed_signers
`,
  show: `
Examples:
  portfw show change.plan.json
  portfw show change.plan.json --details      each change of each host
`,
  sign: `
Writes FILE.sig, made by "ssh-keygen -Y sign -n portfw-plan"; with --name NAME it is FILE.NAME.sig.

Examples:
  portfw sign change.plan.json --key ~/.ssh/id_ed25519
  portfw sign change.plan.json --key ~/.ssh/board.pub --name board
`,
  confirm: `
Confirms the runs that wait for it after "apply --confirm manual". It makes a new connection, and so checks once more that
the hosts can be reached. Without a confirmation, a host rolls back when its window is over.

Examples:
  portfw confirm inventory.yaml
  portfw confirm inventory.yaml --limit web1 --revert
`,
  status: `
Reads only: for each host the run that is in progress or waits, its remaining time, and how the last run ended.

Examples:
  portfw status inventory.yaml
  portfw status inventory.yaml --limit web1 --json
`,
  history: `
Lists the generations that a rollback can return to. With --runs it shows who changed these hosts from this machine, and how it
ended; with --check, whether the journals of this machine and of the hosts have all their lines (exit code 1 if not).

Examples:
  portfw history inventory.yaml --limit web1
  portfw history --runs
  portfw history inventory.yaml --check
`,
  rollback: `
Restores a saved firewalld configuration on each host and verifies it by hash. "portfw history" lists them.
It is refused if it would cut portfw's own SSH or that of portfw_management; --accept-lockout HOST continues with that host.

Examples:
  portfw rollback inventory.yaml --limit web1
  portfw rollback inventory.yaml --limit web1 --to 20260131T221500Z-3f2a1c --yes
`,
  init: `
Asks on a terminal for what the flags do not set. Without a terminal, or with --yes, it uses the defaults. Nothing is
overwritten: the inventory of --from is not changed, and what portfw needs goes into a separate file.

--look contacts the hosts (read-only) and proposes the playbook, interfaces, virtual addresses and management sources, each
with its evidence in a comment. Then it lints and plans, and lists what is left to decide.

Examples:
  portfw init                                 a first inventory, from a few answers
  portfw init --from hosts.ini                portfw.yaml, to be used together with hosts.ini
  portfw init --from hosts.ini --look         the same, from what the hosts show
  portfw init --from hosts.ini group_vars/all/portfw.yaml
  portfw init --yes --playbook portaswitch --host web/web1.example.net=198.51.100.20 --role web1.example.net=web-admin
`,
  schema: `
An editor with a YAML language server completes and checks a file that names its schema in its first line:
  # yaml-language-server: $schema=/path/to/inventory.schema.json

Examples:
  portfw schema                               the schemas, with the files that they are in
  portfw schema inventory > inventory.schema.json
`,
  lint: `
Checks inventories with their variables and playbooks, single playbooks, matrices and files of variables, or a folder of these.
It contacts no host. The exit code is 4 if there are errors, and 0 if there are only warnings, or 4 with
--strict.

Examples:
  portfw lint inventory.yaml
  portfw lint .                               all inventories of a repository
  portfw lint --strict inventories/
  portfw lint inventory.yaml my-playbook.yaml matrices/my-matrix.yaml
`,
  sudoers: `
The script, to be run as root on a host, installs /usr/local/libexec/portfw-run and /etc/sudoers.d/portfw. The account can
then run portfw's own programs as root, and nothing else. Run it again after an update of portfw.

Examples:
  portfw sudoers ops                          to read it
  portfw sudoers ops | ssh root@web1 sh
  portfw sudoers ops --password               sudo asks for the password of ops
  portfw sudoers ops --planner ci             ci may plan too, and never change a host
`,
  completion: `
Examples:
  source <(portfw completion bash)
  portfw completion zsh > "\${fpath[1]}/_portfw"
  portfw completion fish > ~/.config/fish/completions/portfw.fish
`,
};

/**
 * A help text for a terminal: its paragraphs fill the lines, and what is indented goes on below. (It is plain text; what is shown of
 * hosts and files is wrapped by the reports.)
 *
 * @param columns how wide the terminal is; `undefined` where there is none, as Node has it
 */
export function foldedHelp(text: string, columns: number | undefined): string {
  if (columns === undefined || columns < 40) return text;
  const paragraphs = text.replaceAll(/(?<=^\S.*[^:\s])\n(?=\S)/gm, ' ').split('\n');
  return paragraphs
    .flatMap((line) => {
      const indent = /^ */.exec(line)![0];
      return foldedLine(line, columns, indent === '' ? '' : `${indent}    `);
    })
    .join('\n');
}
