import type { NounName } from './texts';

const nouns: Readonly<Record<string, NounName>> = {
  task: 'task',
  tasks: 'task',
  todos: 'task',
  booking: 'booking',
  bookings: 'booking',
  contact: 'contact',
  contacts: 'contact',
  people: 'contact',
  company: 'company',
  companies: 'company',
  accounts: 'company',
  deal: 'deal',
  deals: 'deal',
  note: 'note',
  notes: 'note',
  document: 'document',
  documents: 'document',
  order: 'order',
  orders: 'order',
  event: 'event',
  events: 'event',
};

/** What one record of a type is called, where the name of the type tells; else a record. */
export function nounOf(type: string): NounName {
  return nouns[type.toLowerCase()] ?? 'record';
}
