// Says what a folder of files is when it is served: its types, its hashes and its compressed forms, which are made here.
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
  '.json': 'application/json',
  '.tgz': 'application/gzip',
};
const COMPRESSED_ALREADY = new Set(['.woff2', '.tgz']);

const compress = {
  br: (bytes) =>
    brotliCompressSync(bytes, {
      params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length },
    }),
  gz: (bytes) => gzipSync(bytes, { level: 9 }),
};

/** Writes manifest.json, and each file's compressed forms beside it where they are smaller. Returns what each costs on the wire.
 *  `rows`: {path: where it is served, file: its name below `folder`, immutable: its name changes with its bytes}. */
export const writeManifest = (folder, rows) => {
  const sizes = [];
  const files = rows
    .map((row) => {
      const bytes = readFileSync(join(folder, row.file));
      const extension = extname(row.file);
      const type = TYPES[extension];
      if (type === undefined) throw new Error(`${row.file}: nobody said what type that is`);
      const forms = {};
      let smallest = bytes.length;
      for (const [suffix, make] of COMPRESSED_ALREADY.has(extension) ? [] : Object.entries(compress)) {
        const small = make(bytes);
        if (small.length >= bytes.length) continue;
        writeFileSync(join(folder, `${row.file}.${suffix}`), small);
        forms[suffix] = small.length;
        smallest = Math.min(smallest, small.length);
      }
      sizes.push({ file: row.file, smallest });
      return { ...row, type, hash: createHash('sha256').update(bytes).digest('hex'), size: bytes.length, ...forms };
    })
    .sort((a, b) => (a.path < b.path ? -1 : 1));
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify({ files }, null, 1) + '\n');
  return sizes;
};
