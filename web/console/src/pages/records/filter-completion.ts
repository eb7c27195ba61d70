/** Helps with writing a filter (docs/expressions.md): what may stand where one writes. It looks at the words before the caret; whether the whole is an expression is the
 *  server's to say. */
import { pointerParts, type FieldDefinition } from '../../types/type-definition';

export interface Suggestion {
  readonly text: string;
  readonly kind: 'field' | 'operator' | 'value' | 'joiner';
  /** What it is, beside it. */
  readonly hint: string;
}
export interface Completion {
  /** What of the text is replaced. */
  readonly from: number;
  readonly to: number;
  readonly suggestions: readonly Suggestion[];
}

export interface Token {
  readonly kind: 'word' | 'number' | 'string' | 'operator' | 'joiner' | 'open' | 'close' | 'comma' | 'bad';
  readonly text: string;
  readonly from: number;
  readonly to: number;
  /** A string without its end. */
  readonly open?: boolean;
}

const operators = ['=', '!=', '<', '<=', '>', '>=', 'in', 'contains', 'starts_with', 'is null', 'is not null'] as const;
const wordOperators: ReadonlySet<string> = new Set(['in', 'contains', 'starts_with', 'is']);
const metadata = ['$id', '$version', '$seq', '$created_at', '$created_by', '$updated_at', '$updated_by', '$parent'] as const;
const pattern = /\s*(?:("(?:\\.|[^"\\])*("?)|'(?:\\.|[^'\\])*('?))|(-?\d[\d.eE+-]*)|(&&|\|\||!(?!=))|(!=|<=|>=|=|<|>)|([([])|([)\]])|(,)|(\$?[\p{L}_][\p{L}\p{N}_.\-]*(?:\[\d+\][\w.]*)*|\$)|(\S))/gyu;

/** The words of a filter with their places, in UTF-16 units. */
export function tokenize(text: string): readonly Token[] {
  const tokens: Token[] = [];
  pattern.lastIndex = 0;
  for (let found = pattern.exec(text); found; found = pattern.exec(text)) {
    const [all, string, double, single, number, joiner, operator, opening, closing, comma, word] = found;
    const to = pattern.lastIndex;
    const value = all.trimStart();
    const at = { text: value, from: to - value.length, to };
    if (string !== undefined) tokens.push({ kind: 'string', ...at, ...((string.startsWith('"') ? double : single) === '' ? { open: true } : {}) });
    else if (number !== undefined) tokens.push({ kind: 'number', ...at });
    else if (joiner !== undefined) tokens.push({ kind: 'joiner', ...at });
    else if (operator !== undefined) tokens.push({ kind: 'operator', ...at });
    else if (opening !== undefined) tokens.push({ kind: 'open', ...at });
    else if (closing !== undefined) tokens.push({ kind: 'close', ...at });
    else if (comma !== undefined) tokens.push({ kind: 'comma', ...at });
    else if (word !== undefined) tokens.push({ kind: wordOperators.has(value) ? 'operator' : 'word', ...at });
    else tokens.push({ kind: 'bad', ...at });
  }
  return tokens;
}

/** A pointer as an expression names it: `/address/city` is `address.city`; odd names stand in brackets. */
export function fieldPath(pointer: string): string {
  const parts = pointerParts(pointer);
  const plain = (part: string) => /^[\p{L}_][\p{L}\p{N}_]*$/u.test(part);
  if (parts.every(plain)) return parts.join('.');
  return parts.map((part, index) => (index === 0 ? (plain(part) ? part : `$data[${JSON.stringify(part)}]`) : plain(part) ? `.${part}` : `[${JSON.stringify(part)}]`)).join('');
}

/** A filter as one could write it for this type, to show how it is done; '' when its fields give no example. Shown, never applied. */
export function filterExample(fields: readonly FieldDefinition[]): string {
  const named = fields.filter((field) => !field.pointer.includes('*'));
  const choice = named.flatMap((field) => (typeof field.choices?.[0] === 'string' ? [`${fieldPath(field.pointer)} = ${JSON.stringify(field.choices[0])}`] : []))[0];
  const text = named.find((field) => field.choices === null && field.kinds.includes('string'));
  const amount = named.find((field) => field.choices === null && (field.kinds.includes('number') || field.kinds.includes('integer')));
  const first = choice ?? (text === undefined ? undefined : `${fieldPath(text.pointer)} starts_with "A"`);
  const second = amount === undefined ? undefined : `${fieldPath(amount.pointer)} > ${amount.minimum ?? 1}`;
  return [first, second].filter((part) => part !== undefined).join(' && ');
}

const suggestionsMax = 12;

/** What may stand at the caret. `values`: texts seen in a field, for those without an enum. */
export function completeFilter(text: string, caret: number, fields: readonly FieldDefinition[], values: (path: string) => readonly string[]): Completion {
  const before = tokenize(text.slice(0, caret));
  const last = before.at(-1);
  const touching = last !== undefined && last.to === caret && (last.kind === 'word' || last.open === true || (last.kind === 'operator' && wordOperators.has(last.text)) || last.kind === 'number') ? last : undefined;
  const tokens = touching ? before.slice(0, -1) : before;
  const from = touching ? touching.from : caret;
  // What is written on behind the caret belongs to the word that is replaced.
  const rest = touching?.kind === 'word' ? (/^[\p{L}\p{N}_.]*/u.exec(text.slice(caret))?.[0].length ?? 0) : 0;
  const typed = touching?.text ?? '';
  const offers = offersAfter(tokens, fields, values);
  const needle = typed.replace(/^["']/, '').toLowerCase();
  const fitting = offers.filter((offer) => {
    const name = offer.text.replace(/^["']/, '').toLowerCase();
    return name.includes(needle) && name !== typed.toLowerCase();
  });
  fitting.sort((a, b) => Number(b.text.replace(/^["']/, '').toLowerCase().startsWith(needle)) - Number(a.text.replace(/^["']/, '').toLowerCase().startsWith(needle)));
  return { from, to: caret + rest, suggestions: fitting.slice(0, suggestionsMax) };
}

function offersAfter(tokens: readonly Token[], fields: readonly FieldDefinition[], values: (path: string) => readonly string[]): readonly Suggestion[] {
  const last = tokens.at(-1);
  const named = fields.filter((field) => !field.pointer.includes('*'));
  if (last === undefined || last.kind === 'joiner' || (last.kind === 'open' && last.text === '(')) {
    return [
      ...named.map((field) => ({ text: fieldPath(field.pointer), kind: 'field' as const, hint: field.kinds.join(', ') || (field.choices ? 'enum' : '') })),
      ...metadata.map((name) => ({ text: name, kind: 'field' as const, hint: '' })),
    ];
  }
  // Inside the brackets of a list, and behind an operator, stands a value of the field before.
  const opening = tokens.findLastIndex((token) => token.kind === 'open' || token.kind === 'close');
  const inList = opening >= 0 && tokens[opening]?.text === '[';
  const operatorAt = inList ? opening - 1 : tokens.length - 1;
  const operator = tokens[operatorAt];
  if (operator?.kind === 'operator' && (operatorAt === tokens.length - 1 || last.kind === 'open' || last.kind === 'comma')) {
    const path = tokens[operatorAt - 1]?.text ?? '';
    if (operator.text === 'is') return [{ text: 'null', kind: 'value', hint: '' }, { text: 'not null', kind: 'value', hint: '' }];
    if (operator.text === 'in' && !inList) return [{ text: '[', kind: 'value', hint: '' }];
    return valuesOf(named.find((field) => fieldPath(field.pointer) === path), path, values);
  }
  if (last.kind === 'word' && !['null', 'true', 'false', 'not'].includes(last.text)) {
    const field = named.find((candidate) => fieldPath(candidate.pointer) === last.text);
    return operatorsOf(field).map((text) => ({ text, kind: 'operator', hint: '' }));
  }
  if (inList && last.kind !== 'comma') return [{ text: ',', kind: 'joiner', hint: '' }, { text: ']', kind: 'joiner', hint: '' }];
  return [{ text: '&&', kind: 'joiner', hint: '' }, { text: '||', kind: 'joiner', hint: '' }];
}

function operatorsOf(field: FieldDefinition | undefined): readonly string[] {
  if (!field || field.kinds.length === 0) return field?.choices ? ['=', '!=', 'in', 'is null', 'is not null'] : operators;
  const has = (kind: string) => field.kinds.some((candidate) => candidate === kind);
  if (has('boolean')) return ['=', '!=', 'is null', 'is not null'];
  if (has('array')) return ['contains', 'is null', 'is not null'];
  if (has('number') || has('integer')) return ['=', '!=', '<', '<=', '>', '>=', 'in', 'is null', 'is not null'];
  if (field.choices) return ['=', '!=', 'in', 'is null', 'is not null'];
  return operators;
}

function valuesOf(field: FieldDefinition | undefined, path: string, values: (path: string) => readonly string[]): readonly Suggestion[] {
  const known = field?.choices?.map((choice) => JSON.stringify(choice)) ?? (field?.kinds.includes('boolean') === true ? ['true', 'false'] : values(path).map((value) => JSON.stringify(value)));
  return known.map((text) => ({ text, kind: 'value', hint: '' }));
}

/** Puts a suggestion in; answers the text and where the caret goes. */
export function applySuggestion(text: string, completion: Completion, suggestion: Suggestion): { readonly text: string; readonly caret: number } {
  const before = text.slice(0, completion.from);
  const after = text.slice(completion.to).trimStart();
  const gap = before !== '' && !/[\s([]$/.test(before) && suggestion.text !== ',' && suggestion.text !== ']' ? ' ' : '';
  const inserted = `${gap}${suggestion.text}${suggestion.text === '[' ? '' : ' '}`;
  return { text: `${before}${inserted}${after}`, caret: before.length + inserted.length };
}

/** Where in the filter the server found something wrong: it counts bytes of UTF-8 from 1. null: it does not say. */
export function errorPlace(text: string, detail: string): number | null {
  const found = /at byte (\d+)/.exec(detail);
  if (!found) return null;
  const bytes = new TextEncoder().encode(text).slice(0, Math.max(0, Number(found[1]) - 1));
  return new TextDecoder().decode(bytes).length;
}
