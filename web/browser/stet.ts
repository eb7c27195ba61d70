/** A Stet server of a story's own: the real program with an example's data, that can be killed and started again. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** The examples that a story can begin with; `empty` has no records, and the people of `tasks`. */
export type Example = 'tasks' | 'crm' | 'empty';

/** Everybody who can log in to an example has its password. */
export const passwords: Readonly<Record<Example, string>> = { tasks: 'tasks-demo', crm: 'lumbre-demo', empty: 'tasks-demo' };

const top = resolve(process.env['STET_TOP'] ?? '..');
const program = resolve(process.env['STET_PROGRAM'] ?? join(top, 'build/stet'));
const startMsMax = 30_000;

/** Nothing of the user's own settings gets in. */
const environment = (): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('STET_')));

const run = (command: string, parameters: readonly string[], input?: string): string => {
  const { status, stdout, stderr, error } = spawnSync(command, parameters, {
    encoding: 'utf8',
    env: environment(),
    maxBuffer: 64 << 20,
    ...(input === undefined ? {} : { input }),
  });
  if (status !== 0) throw new Error(`${command} ${parameters.join(' ')}: ${error?.message ?? ''}${stdout}${stderr}`);
  return stdout;
};

/** The first token of a data directory, an administrator's. */
const tokenIn = (text: string): string => {
  const found = /"token"\s*:\s*"([^"]+)"/.exec(text)?.[1];
  if (found === undefined) throw new Error('stet init printed no token');
  return found;
};

const freePort = (): Promise<number> =>
  new Promise((done, failed) => {
    const probe = createServer();
    probe.once('error', failed);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => (address !== null && typeof address === 'object' ? done(address.port) : failed(new Error('no port'))));
    });
  });

/** Example data is made once and copied for each story: hashing passwords takes its time on purpose. */
const templates = new Map<Example, { readonly folder: string; readonly token: string }>();
const scratch = mkdtempSync(join(tmpdir(), 'stet-browser-'));
process.once('exit', () => rmSync(scratch, { recursive: true, force: true }));

const template = (example: Example): { readonly folder: string; readonly token: string } => {
  const known = templates.get(example);
  if (known !== undefined) return known;
  const folder = join(scratch, `template-${example}`);
  const token = tokenIn(run(program, ['init', '--data', folder, '--json']));
  const source = join(top, 'examples', example === 'empty' ? 'tasks' : example);
  if (example !== 'empty') {
    run(program, ['types', 'apply', join(source, 'schema.json'), '--data', folder]);
    const lines = join(source, `${example}.ndjson`);
    if (existsSync(lines)) {
      run(program, ['import', lines, '--data', folder]);
    } else {
      const today = new Date().toISOString().slice(0, 10);
      run(program, ['import', '-', '--data', folder], run(join(source, 'generate.py'), ['--monday', today]));
    }
  }
  run(join(source, 'people'), [program, folder]);
  const made = { folder, token };
  templates.set(example, made);
  return made;
};

/** What the server answered: `json` is whatever it said. */
export interface Answer {
  readonly status: number;
  readonly json: unknown;
}

export class Stet {
  readonly url: string;
  readonly token: string;
  readonly example: Example;
  private readonly folder: string;
  private readonly port: number;
  private process: ChildProcess | null = null;
  private log = '';

  private constructor(example: Example, folder: string, token: string, port: number) {
    this.example = example;
    this.folder = folder;
    this.token = token;
    this.port = port;
    this.url = `http://127.0.0.1:${port}`;
  }

  /** Starts one with a copy of the example's data. */
  static async begin(example: Example): Promise<Stet> {
    const { folder: from, token } = template(example);
    const folder = mkdtempSync(join(scratch, 'server-'));
    mkdirSync(folder, { recursive: true });
    cpSync(from, join(folder, 'data'), { recursive: true });
    const server = new Stet(example, folder, token, await freePort());
    await server.start();
    return server;
  }

  /** Starts it, again on the same port and data. `more`: options of `stet serve`. Resolves when it answers. */
  async start(more: readonly string[] = []): Promise<void> {
    const child = spawn(program, ['serve', '--data', join(this.folder, 'data'), '--listen', `127.0.0.1:${this.port}`, '--log-level', 'error', ...more], {
      env: environment(),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.process = child;
    child.stdout.on('data', (bytes: Buffer) => (this.log += bytes.toString()));
    child.stderr.on('data', (bytes: Buffer) => (this.log += bytes.toString()));
    const until = Date.now() + startMsMax;
    for (;;) {
      if (child.exitCode !== null || child.signalCode !== null) throw new Error(`the server ended: ${this.log}`);
      if (Date.now() > until) throw new Error(`the server does not answer: ${this.log}`);
      try {
        const { ok } = await fetch(`${this.url}/healthz`);
        if (ok) return;
      } catch {
        await new Promise((done) => setTimeout(done, 20));
      }
    }
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.process;
    this.process = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const over = new Promise((done) => child.once('exit', done));
    child.kill(signal);
    await over;
  }

  /** As a loss of power would: at once, in the midst of whatever it does. */
  kill(): Promise<void> {
    return this.end('SIGKILL');
  }

  stop(): Promise<void> {
    return this.end('SIGTERM');
  }

  /** Stops it for good and forgets its data. */
  async close(): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** One request as the administrator, or as whoever has the token; without (null) as nobody. */
  async ask(method: string, path: string, body?: unknown, options: { readonly token?: string | null; readonly headers?: Record<string, string> } = {}): Promise<Answer> {
    const token = options.token === undefined ? this.token : options.token;
    const answer = await fetch(this.url + path, {
      method,
      headers: {
        ...(token === null ? {} : { Authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...options.headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await answer.text();
    let json: unknown = text;
    try {
      json = JSON.parse(text);
    } catch {
      // Not everything is JSON: metrics are lines.
    }
    return { status: answer.status, json };
  }

  /** A record as it is now, as the administrator sees it. */
  async record(type: string, id: string): Promise<{ readonly version: number; readonly data: Readonly<Record<string, unknown>> }> {
    const { status, json } = await this.ask('GET', `/v1/main/records/${type}/${id}`);
    if (status !== 200 || !isObject(json) || typeof json['version'] !== 'number' || !isObject(json['data'])) {
      throw new Error(`${type}/${id}: ${status} ${JSON.stringify(json)}`);
    }
    return { version: json['version'], data: json['data'] };
  }

  /** Changes parts of a record as somebody else would, from its newest version. Returns the new version. */
  async patch(type: string, id: string, patch: Readonly<Record<string, unknown>>, token?: string): Promise<number> {
    const { version } = await this.record(type, id);
    const { status, json } = await this.ask('PATCH', `/v1/main/records/${type}/${id}`, patch, {
      ...(token === undefined ? {} : { token }),
      headers: { 'If-Match': `"${version}"`, 'Content-Type': 'application/merge-patch+json' },
    });
    if (status !== 200 || !isObject(json) || typeof json['version'] !== 'number') throw new Error(`${type}/${id}: ${status} ${JSON.stringify(json)}`);
    return json['version'];
  }

  /** A token with which somebody else acts beside the browser. */
  async tokenFor(actor: string): Promise<string> {
    const { json } = await this.ask('POST', '/v1/stet/tokens', { actor, name: 'story' });
    if (!isObject(json) || typeof json['token'] !== 'string') throw new Error(`no token for ${actor}: ${JSON.stringify(json)}`);
    return json['token'];
  }

  /** A number of /metrics, added up over its labels that contain `labels`; 0 when it is not there. */
  async metric(name: string, labels = ''): Promise<number> {
    const { json } = await this.ask('GET', '/metrics');
    const lines = String(json).split('\n').filter((line) => (line.startsWith(`${name} `) || line.startsWith(`${name}{`)) && line.includes(labels));
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
  }
}

/** A JSON object, and not an array. */
export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Whether there is a program to play stories with. */
export const programIsThere = (): boolean => existsSync(program) && readFileSync(program).length > 0;

/** Asks again until it holds: for what happens on the server, where no locator waits. */
export const eventually = async (check: () => void | Promise<void>): Promise<void> => {
  const until = Date.now() + 20_000;
  for (;;) {
    try {
      await check();
      return;
    } catch (error) {
      if (Date.now() > until) throw error;
      await new Promise((done) => setTimeout(done, 50));
    }
  }
};
