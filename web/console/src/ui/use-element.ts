import { useImperativeHandle, useLayoutEffect, useRef, type ForwardedRef, type RefObject } from 'react';

/** Marks what a dialog gives the focus to. The browser's own `autofocus` holds once for each page, and complains when the address has a `#`. */
export const firstFocus = (wanted: boolean | undefined): { readonly 'data-first-focus'?: true } => (wanted === true ? { 'data-first-focus': true } : {});

/** The element of a primitive: for whoever asked for it, and focused when it comes onto the page with `autoFocus`. */
export function useElement<E extends HTMLElement>(forwarded: ForwardedRef<E>, autoFocus = false): RefObject<E | null> {
  const element = useRef<E>(null);
  const atFirst = useRef(autoFocus);
  useImperativeHandle<E | null, E | null>(forwarded, () => element.current, []);
  useLayoutEffect(() => {
    if (atFirst.current) element.current?.focus();
  }, []);
  return element;
}
