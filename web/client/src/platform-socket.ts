import type { SocketFactory } from './seams';

/** The platform's WebSocket; null where there is none (Node before 22). */
export const platformSocket = (): SocketFactory | null => {
  if (typeof WebSocket === 'undefined') return null;
  return (url, protocols, events) => {
    const socket = new WebSocket(url, [...protocols]);
    socket.onopen = () => events.open();
    socket.onmessage = ({ data }: MessageEvent<unknown>) => {
      if (typeof data === 'string') events.message(data);
    };
    // An error is always followed by a close.
    socket.onclose = () => events.close();
    return {
      send(text) {
        if (socket.readyState === WebSocket.OPEN) socket.send(text);
      },
      close: () => socket.close(),
    };
  };
};
