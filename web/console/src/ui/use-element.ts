import { useImperativeHandle, useLayoutEffect, useRef, type ForwardedRef, type RefObject } from 'react';

/** The element of a primitive: for whoever asked for it, and focused when it comes onto the page with `autoFocus`. React does the latter
 *  by itself; Preact leaves it to the browser, which does so only once for each page. */
export function useElement<E extends HTMLElement>(forwarded: ForwardedRef<E>, autoFocus = false): RefObject<E | null> {
  const element = useRef<E>(null);
  const atFirst = useRef(autoFocus);
  useImperativeHandle<E | null, E | null>(forwarded, () => element.current, []);
  useLayoutEffect(() => {
    if (atFirst.current) element.current?.focus();
  }, []);
  return element;
}
