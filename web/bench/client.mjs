// Measures the client in Node: bundles client-bench.ts as an application would, and runs it.
//
//   node bench/client.mjs [--quick] [--json FILE]
import { build } from 'esbuild';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const top = fileURLToPath(new URL('..', import.meta.url));
const out = mkdtempSync(join(tmpdir(), 'stet-client-bench-'));
try {
  const file = join(out, 'bench.mjs');
  await build({
    entryPoints: [join(top, 'bench/client-bench.ts')],
    outfile: file,
    bundle: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'warning',
    tsconfig: join(top, 'tsconfig.json'),
  });
  // Node 18 hides its web cryptography behind a flag.
  const flags = Number(process.versions.node.split('.')[0]) < 20 ? ['--experimental-global-webcrypto'] : [];
  const { status } = spawnSync(process.execPath, [...flags, file, ...process.argv.slice(2)], { stdio: 'inherit' });
  process.exitCode = status ?? 1;
} finally {
  rmSync(out, { recursive: true, force: true });
}
