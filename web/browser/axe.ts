/** Accessibility, as far as a program can judge it: axe-core finds nothing wrong with a page. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { isObject } from './stet';

const rules = { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] };
let source: string | null = null;

/** Fails with what is wrong, where, and where it is explained. `within`: only that part of the page, as a selector. `only`: those of axe's
 *  rules alone. */
export async function axe(page: Page, within?: string, only?: readonly string[]): Promise<void> {
  source ??= readFileSync(join('node_modules', 'axe-core', 'axe.min.js'), 'utf8');
  // Colours on their way from one theme to another are nobody's; the way begins with the next frame.
  await page.evaluate(async () => {
    const frame = () => new Promise((done) => requestAnimationFrame(done));
    const moving = () => document.getAnimations().filter((one) => one instanceof CSSTransition && one.playState === 'running');
    await frame();
    await frame();
    while (moving().length > 0) {
      await Promise.all(moving().map((one) => one.finished.catch(() => undefined)));
      await frame();
    }
  });
  // Through the debugger: the page's Content-Security-Policy rightly lets no script of ours in.
  const debug = await page.context().newCDPSession(page);
  try {
    // Half a megabyte, which a page that only changed its route still has.
    const { result: there } = await debug.send('Runtime.evaluate', { expression: 'typeof axe' });
    if (there.value === 'undefined') await debug.send('Runtime.evaluate', { expression: source });
    const { result, exceptionDetails } = await debug.send('Runtime.evaluate', {
      expression: `axe.run(${within === undefined ? 'document' : JSON.stringify(within)}, ${JSON.stringify(only === undefined ? rules : { runOnly: { type: 'rule', values: only } })}).then(({ violations, passes }) => JSON.stringify({ violations, passes: passes.length }))`,
      awaitPromise: true,
      returnByValue: true,
    });
    if (exceptionDetails !== undefined) throw new Error(`axe: ${exceptionDetails.exception?.description ?? exceptionDetails.text}`);
    const found: unknown = JSON.parse(String(result.value));
    if (!isObject(found) || !Array.isArray(found['violations']) || typeof found['passes'] !== 'number') throw new Error('axe answered nonsense');
    if (found['passes'] === 0) throw new Error('axe looked at nothing');
    const lines = found['violations'].flatMap((violation: unknown) => describe(violation));
    if (lines.length > 0) throw new Error(`axe finds in ${page.url()}:\n${lines.join('\n')}`);
  } finally {
    await debug.detach();
  }
}

const describe = (violation: unknown): readonly string[] => {
  if (!isObject(violation)) return [String(violation)];
  const nodes: readonly unknown[] = Array.isArray(violation['nodes']) ? violation['nodes'] : [];
  return [
    `${String(violation['id'])}: ${String(violation['help'])} (${String(violation['helpUrl'])})`,
    ...nodes.slice(0, 5).map((node) => (isObject(node) ? `    ${String(node['html']).slice(0, 200)}\n      ${String(node['failureSummary']).replaceAll('\n', '\n      ')}` : '')),
  ];
};
