export type * from './client';
export type * from './conflict';
export type * from './edit';
export { StetError } from './error';
export type * from './json';
export type * from './operation';
export type * from './record';
export type { Clock, EditStorage, FeedEvent, FeedState, Interest, Socket, SocketEvents, SocketFactory, TabLink, Transport, TransportAnswer, TransportRequest } from './seams';
export { codes, type Code } from './status';
