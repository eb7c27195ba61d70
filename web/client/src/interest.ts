/** What parts of pages want to hear of, and whether an event is that. */
import { addressOf, parseAddress } from './address';
import { array, count, Members, oneOf, text, type Decoder } from './decode';
import type { JsonObject } from './json';
import { isList, isMap } from './json';
import type { Address } from './record';
import type { FeedEvent, Interest } from './seams';

/** So many types, and so many addresses, fit into one subscription. */
export const namesMax = 64;

/** Told apart by names alone, so that many of them share a subscription. */
export const isPlain = (interest: Interest): boolean => interest.where === undefined && (interest.events ?? []).length === 0;

const typeOf = (address: Address): string => parseAddress(address)?.type ?? address;

/** The same or more, by names of types alone: where there is no room for an expression, or for so many addresses. */
export const coarse = (interest: Interest): Interest => ({
  types: [...new Set([...(interest.types ?? []), ...(interest.addresses ?? []).map(typeOf)])],
  ...(interest.events && { events: interest.events }),
});

/** One text for interests that ask for the same, wherever they begin. */
export const interestKey = (interest: Interest): string =>
  JSON.stringify([
    [...(interest.types ?? [])].sort(),
    [...(interest.addresses ?? [])].sort(),
    interest.where ?? null,
    [...(interest.events ?? [])].sort(),
  ]);

const operationAddress = (body: JsonObject): Address | null => {
  const id = isMap(body['operation']) ? body['operation']['id'] : undefined;
  return typeof id === 'string' ? addressOf('stet.operation', id) : null;
};
const queuedAddresses = (body: JsonObject): readonly Address[] =>
  (isList(body['operations']) ? body['operations'] : []).flatMap((one) =>
    isMap(one) && typeof one['id'] === 'string' ? [addressOf('stet.operation', one['id'])] : [],
  );

/** Whether an event of a subscription that also serves others is meant for this interest; its `where` is not looked at. */
export const concerns = (interest: Interest, event: FeedEvent): boolean => {
  const types = interest.types ?? [];
  const addresses = interest.addresses ?? [];
  const events = interest.events ?? [];
  const all = types.length === 0 && addresses.length === 0 && events.length === 0;
  switch (event.kind) {
    case 'change':
      return all || types.includes(event.record.type) || addresses.includes(event.record.address);
    case 'revoked':
      return all || addresses.includes(event.address) || types.includes(typeOf(event.address));
    case 'presence':
      return addresses.includes(event.address);
    case 'conflict':
      return events.includes('conflict') || types.includes('stet.conflict');
    case 'operation': {
      const address = operationAddress(event.body);
      return events.includes('operation') || types.includes('stet.operation') || (address !== null && addresses.includes(address));
    }
    case 'queue':
      return queuedAddresses(event.body).some((address) => addresses.includes(address));
    case 'ready':
    case 'reset':
    case 'failed':
      return true;
  }
};

/** An interest that another tab sent. */
export const interestOf: Decoder<Interest> = (value, pointer) => {
  const from = new Members(value, pointer);
  return {
    ...from.part('types', array(text)),
    ...from.part('addresses', array(text)),
    ...from.part('where', text),
    ...from.part('events', array(oneOf('conflict', 'operation'))),
    ...from.part('since', count),
  };
};
