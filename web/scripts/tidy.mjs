// What a program can check about how the TypeScript is written is checked here, not in reviews.
//
//   node scripts/tidy.mjs
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import ts from 'typescript';
import { at, top } from './places.mjs';

/** What each part may import beside its own files; `tests` more. Parts stand as in README.md: what is below may use what is above. */
const PARTS = {
  'client/src': { packages: /^(zustand(\/.*)?|idb)$/, tests: /^(node:.*|fake-indexeddb(\/.*)?)$/ },
  'react/src': { packages: /^(@stet\/client|react(\/.*)?)$/, tests: /^(node:.*|react-dom(\/.*)?|happy-dom)$/, testing: 'client/src/testing/' },
  'console/src': {
    packages: /^(@stet\/client|@stet\/react(\/stet\.css)?|react(-dom)?(\/.*)?|d3-shape|lucide-react)$/,
    tests: /^node:.*$/,
    testing: 'client/src/testing/',
  },
  browser: { packages: /^(node:.*|playwright-core|axe-core|@stet\/client|@stet\/react(\/stet\.css)?|react(-dom)?(\/.*)?)$/, tests: /^$/ },
};

const walk = (folder) =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return walk(path);
    return /\.tsx?$/.test(entry.name) ? [path] : [];
  });

const problems = [];
let files = 0;

const checkImport = (name, part, rules, isTest, wanted, say) => {
  if (wanted.startsWith('.')) {
    const target = normalize(join(dirname(name), wanted));
    const own = target.startsWith(`${part}/`);
    const testing = isTest && rules.testing !== undefined && target.startsWith(rules.testing);
    // A test may read what the repository shows as an example.
    const example = isTest && target.startsWith('../examples/');
    if (!own && !testing && !example) say(`reaches out of ${part} to ${target}`);
  } else if (!rules.packages.test(wanted) && !(isTest && rules.tests.test(wanted))) {
    say(`imports ${wanted}, which ${part} may not use`);
  }
};

const check = (name, part, rules) => {
  const text = readFileSync(at(name), 'utf8');
  const source = ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true);
  const isTest = /\.test\.tsx?$|\/testing\//.test(name);
  const sayAt = (node) => (words) => {
    const { line } = source.getLineAndCharacterOfPosition(node.getStart(source));
    problems.push(`${name}:${line + 1}: ${words}`);
  };
  const visit = (node) => {
    const say = sayAt(node);
    if (node.kind === ts.SyntaxKind.AnyKeyword) say('any: say unknown, and decode it');
    if (ts.isNonNullExpression(node)) say('! says what the compiler cannot see: check it');
    if (ts.isExportAssignment(node) || node.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.DefaultKeyword)) say('exports have names');
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier !== undefined) {
      checkImport(name, part, rules, isTest, node.moduleSpecifier.text, say);
    }
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword && ts.isStringLiteral(node.arguments[0])) {
      checkImport(name, part, rules, isTest, node.arguments[0].text, say);
    }
    if (ts.isJsxAttribute(node) && node.name.getText(source) === 'dangerouslySetInnerHTML') say('text becomes HTML nowhere');
    ts.forEachChild(node, visit);
  };
  visit(source);
  for (const [number, line] of text.split('\n').entries()) {
    if (/@ts-(ignore|nocheck|expect-error)/.test(line)) problems.push(`${name}:${number + 1}: the compiler is right, or its settings are not`);
  }
  if (!/(^|\/)[a-z0-9]+(-[a-z0-9]+)*(\.(test|story|d))?\.tsx?$/.test(name)) problems.push(`${name}: names of files are words-with-dashes`);
  files += 1;
};

for (const [part, rules] of Object.entries(PARTS)) {
  for (const path of walk(at(part))) check(relative(top, path), part, rules);
}
// A package that asks for a newer Node than ours would stop the build, or the tests, where only that one is packaged.
const oldest = (range) => Number(/\d+/.exec(range)?.[0] ?? 0);
const lock = JSON.parse(readFileSync(at('package-lock.json'), 'utf8')).packages;
const node = oldest(lock[''].engines.node);
for (const [name, { engines }] of Object.entries(lock)) {
  // Our own packages say what applications need to run them.
  if (name.startsWith('node_modules/') && engines?.node !== undefined && oldest(engines.node) > node) problems.push(`package-lock.json: ${name} wants Node ${engines.node}, and the build works with ${node}`);
}
if (files < 20) problems.push(`only ${files} files were found`);
for (const problem of problems) console.log(problem);
console.log(`tidy: ${files} files, ${problems.length} problems`);
process.exitCode = problems.length > 0 ? 1 : 0;
