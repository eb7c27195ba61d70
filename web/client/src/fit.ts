/**
 * Whether data may fit a condition of a list, as far as that can be told here. The server alone knows: defaults and functions may still fill
 * in what is absent. So only plain comparisons of fields that are there with constants, joined by `&&`, can say no; all else may fit.
 */
import { isList, isMap, type Json, type JsonObject } from './json';
import { memberOf } from './merge-patch';
import { compareTexts } from './sort-order';

const tokens = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|&&|\|\||[()]|[^"'&|()]+|./gsu;
const comparison = /^\s*([\p{L}_][\p{L}\p{N}_]*(?:\.[\p{L}_][\p{L}\p{N}_]*)*)\s*(?:(!=|<=|>=|=|<|>)\s*(\S(?:.*\S)?))?\s*$/su;

type Plain = null | boolean | number | string;

/** The terms that have to hold all of them; null when it is more than that. */
const termsOf = (where: string): readonly string[] | null => {
  const terms = [''];
  for (const [token] of where.matchAll(tokens)) {
    if (token === '||' || token === '(' || token === ')') return null;
    if (token === '&&') terms.push('');
    else terms[terms.length - 1] += token;
  }
  return terms;
};

/** Undefined: it is no constant, or not one that JavaScript has exactly. */
const constantOf = (text: string): Plain | undefined => {
  if (text === 'true' || text === 'false') return text === 'true';
  if (text === 'null') return null;
  if (/^(?:"[^"\\]*"|'[^'\\]*')$/s.test(text)) return text.slice(1, -1);
  return String(Number(text)) === text && Number.isFinite(Number(text)) ? Number(text) : undefined;
};

const valueAt = (data: JsonObject, path: string): Json | undefined => {
  let at: Json | undefined = data;
  for (const name of path.split('.')) at = at !== undefined && isMap(at) ? memberOf(at, name) : undefined;
  return at;
};

const holds = (value: Plain, operator: string, constant: Plain): boolean => {
  if (operator === '=') return value === constant;
  if (operator === '!=') return value !== constant;
  const order =
    typeof value === 'number' && typeof constant === 'number' ? value - constant
    : typeof value === 'string' && typeof constant === 'string' ? compareTexts(value, constant)
    : null;
  if (order === null) return false;
  if (operator.startsWith('<')) return order < 0 || (order === 0 && operator === '<=');
  return order > 0 || (order === 0 && operator === '>=');
};

/** Whether a term says no for certain. */
const excludes = (term: string, data: JsonObject): boolean => {
  const [, path, operator = '=', text = 'true'] = comparison.exec(term) ?? [];
  if (path === undefined || ['true', 'false', 'null'].includes(path)) return false;
  const [value, constant] = [valueAt(data, path), constantOf(text)];
  if (value === undefined || constant === undefined || isList(value) || isMap(value)) return false;
  return !holds(value, operator, constant);
};

/** False only when the data, as they are, cannot be what `where` asks for. */
export const mayFit = (where: string, data: JsonObject): boolean => !(termsOf(where)?.some((term) => excludes(term, data)) ?? false);
