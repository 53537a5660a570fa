import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const require = createRequire(import.meta.url);
const SERVER = require.resolve('yaml-language-server/bin/yaml-language-server');
const PATIENCE_MS = 30_000;

/** Lines and characters count from 0, as the protocol has them. */
interface Position {
  readonly line: number;
  readonly character: number;
}

export interface Diagnostic {
  readonly message: string;
  readonly range: { readonly start: Position; readonly end: Position };
}

export interface Completion {
  readonly label: string;
  readonly documentation: string;
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: unknown;
  readonly result?: unknown;
}

/** The settings that docs/editors.md names, beside what only keeps the server from reaching out. */
const SETTINGS: Readonly<Record<string, unknown>> = {
  yaml: {
    yamlVersion: '1.1',
    customTags: ['!vault scalar', '!unsafe scalar'],
    schemaStore: { enable: false },
    validate: true,
    hover: true,
    completion: true,
  },
  http: {},
};

/** The language server that editors run for YAML, spoken to as an editor does. */
export class LanguageServer {
  readonly #child: ChildProcessWithoutNullStreams = spawn(process.execPath, [SERVER, '--stdio']);
  readonly #answers = new Map<number, (result: unknown) => void>();
  readonly #diagnostics = new Map<string, (found: readonly Diagnostic[]) => void>();
  #buffer: Buffer = Buffer.alloc(0);
  #next = 1;
  #looks = 0;

  constructor() {
    this.#child.stdout.on('data', (chunk: Buffer) => this.#read(chunk));
    this.#child.stderr.resume();
  }

  async start(): Promise<void> {
    const capabilities = {
      workspace: { configuration: true },
      textDocument: {
        completion: { completionItem: { snippetSupport: false, documentationFormat: ['markdown'] } },
        hover: { contentFormat: ['markdown'] },
      },
    };
    await this.#ask('initialize', { processId: process.pid, rootUri: null, capabilities });
    this.#send({ method: 'initialized', params: {} });
  }

  stop(): void {
    this.#child.kill();
  }

  /** What the server finds wrong with a text that lies, or would lie, in a file. */
  async check(file: string, text: string): Promise<readonly Diagnostic[]> {
    const uri = this.#fresh(file);
    const found = within(
      new Promise<readonly Diagnostic[]>((resolve) => this.#diagnostics.set(uri, resolve)),
      `diagnostics of ${file}`,
    );
    this.#open(uri, text);
    const diagnostics = await found;
    this.#send({ method: 'textDocument/didClose', params: { textDocument: { uri } } });
    return diagnostics;
  }

  /** What the server offers where `|` stands in a text. */
  async complete(file: string, marked: string): Promise<readonly Completion[]> {
    const result = await this.#at('textDocument/completion', file, marked);
    const items = ((result as { items?: unknown } | null)?.items ?? result ?? []) as {
      label: string;
      documentation?: string | { value: string };
    }[];
    return items.map(({ label, documentation }) => ({
      label,
      documentation: typeof documentation === 'string' ? documentation : (documentation?.value ?? ''),
    }));
  }

  /** What the server tells of the word at `|`. */
  async hover(file: string, marked: string): Promise<string> {
    const result = (await this.#at('textDocument/hover', file, marked)) as { contents?: { value?: string } } | null;
    return result?.contents?.value ?? '';
  }

  async #at(method: string, file: string, marked: string): Promise<unknown> {
    const offset = marked.indexOf('|');
    const before = marked.slice(0, offset).split('\n');
    const uri = this.#fresh(file);
    this.#open(uri, marked.slice(0, offset) + marked.slice(offset + 1));
    const position = { line: before.length - 1, character: before.at(-1)!.length };
    const result = await this.#ask(method, { textDocument: { uri }, position });
    this.#send({ method: 'textDocument/didClose', params: { textDocument: { uri } } });
    return result;
  }

  /** A name of its own beside the file for each look: closing a document publishes diagnostics as well. */
  #fresh(file: string): string {
    this.#looks += 1;
    return pathToFileURL(path.resolve(path.dirname(file), `look-${this.#looks}-${path.basename(file)}`)).href;
  }

  #open(uri: string, text: string): void {
    const textDocument = { uri, languageId: 'yaml', version: 1, text };
    this.#send({ method: 'textDocument/didOpen', params: { textDocument } });
  }

  #ask(method: string, params: unknown): Promise<unknown> {
    const id = this.#next;
    this.#next += 1;
    const answer = new Promise<unknown>((resolve) => this.#answers.set(id, resolve));
    this.#send({ id, method, params });
    return within(answer, method);
  }

  #send(message: object): void {
    const body = Buffer.from(JSON.stringify({ jsonrpc: '2.0', ...message }));
    this.#child.stdin.write(`Content-Length: ${body.length}\r\n\r\n`);
    this.#child.stdin.write(body);
  }

  #read(chunk: Buffer): void {
    this.#buffer = Buffer.concat([this.#buffer, chunk]);
    for (;;) {
      const end = this.#buffer.indexOf('\r\n\r\n');
      const length = Number(/Content-Length: (\d+)/.exec(this.#buffer.subarray(0, Math.max(end, 0)).toString())?.[1]);
      if (end === -1 || this.#buffer.length < end + 4 + length) return;
      const message = JSON.parse(this.#buffer.subarray(end + 4, end + 4 + length).toString()) as Message;
      this.#buffer = this.#buffer.subarray(end + 4 + length);
      this.#handle(message);
    }
  }

  #handle({ id, method, params, result }: Message): void {
    if (method === 'textDocument/publishDiagnostics') {
      const { uri, diagnostics } = params as { uri: string; diagnostics: readonly Diagnostic[] };
      this.#diagnostics.get(uri)?.(diagnostics);
      this.#diagnostics.delete(uri);
    } else if (method === 'workspace/configuration' && id !== undefined) {
      const { items } = params as { items: readonly { section?: string }[] };
      this.#send({ id, result: items.map(({ section }) => SETTINGS[section ?? ''] ?? null) });
    } else if (method !== undefined && id !== undefined) {
      this.#send({ id, result: null });
    } else if (id !== undefined) {
      this.#answers.get(id)?.(result);
      this.#answers.delete(id);
    }
  }
}

function within<T>(promise: Promise<T>, what: string): Promise<T> {
  const late = new Promise<never>((_, reject) => {
    setTimeout(() => reject(new Error(`the language server did not answer: ${what}`)), PATIENCE_MS).unref();
  });
  return Promise.race([promise, late]);
}
