import { createElement, lazy, useState, type ComponentType } from 'react';
import type { PageDefinition } from './page';

/** A page's component that is fetched when somebody goes there, or before. What is here already is drawn at once: `lazy` alone
 *  would show that it loads, for a moment, each time. */
export function late(read: () => Promise<ComponentType>): Pick<PageDefinition, 'component' | 'load'> {
  let here: ComponentType | null = null;
  const fetched = async () => {
    here = await read();
    return { default: here };
  };
  const Lazy = lazy(fetched);
  function Late() {
    // The same one as long as it is shown: another would begin anew.
    const [shown] = useState<{ readonly component: ComponentType }>(() => ({ component: here ?? Lazy }));
    return createElement(shown.component);
  }
  return {
    component: Late,
    load: async () => {
      if (here === null) await fetched();
    },
  };
}
