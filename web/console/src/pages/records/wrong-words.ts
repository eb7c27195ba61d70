import type { StetError } from '@stet/client';
import type { Format } from '../../i18n/format';
import type { Language } from '../../i18n/language';
import { errorWords } from '../../ui';
import type { Wrong } from './form-model';
import type { JsonText } from './json-text';
import type { RecordsWords } from './messages';

/** What is wrong with a field, for whoever wrote it. */
export function wrongWords(wrong: Wrong, words: RecordsWords, format: Pick<Format, 'number'>): string {
  switch (wrong.kind) {
    case 'required':
      return words.wrongRequired;
    case 'number':
      return words.wrongNumber;
    case 'integer':
      return words.wrongInteger;
    case 'json':
      return words.wrongJson;
    case 'minimum':
      return words.wrongMinimum(format.number(wrong.bound, 6));
    case 'maximum':
      return words.wrongMaximum(format.number(wrong.bound, 6));
    case 'minBytes':
      return words.wrongMinBytes(format.number(wrong.bound));
    case 'maxBytes':
      return words.wrongMaxBytes(format.number(wrong.bound));
  }
}

export function jsonWords(read: Extract<JsonText, { ok: false }>, words: RecordsWords): string {
  if (read.reason === 'object') return words.jsonObject;
  if (read.reason === 'duplicate') return words.jsonDuplicate(read.name ?? '', read.line, read.column);
  return words.jsonSyntax(read.line, read.column);
}

/** What the server found wrong with data that was written as text, with the field that it found. */
export function refusedWords(error: StetError, language: Language): string {
  const { title, detail } = errorWords(error, language);
  const said = detail ?? title;
  return error.field === null ? said : `${error.field}: ${said}`;
}
