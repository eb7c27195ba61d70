import type { Who } from '@stet/client';
import { useMessages } from '../i18n/messages';
import { useLanguage } from '../i18n/language';
import type { PageDefinition } from '../pages/page';
import { pages } from '../pages/pages';
import { hrefTo, useRoute } from '../routing/use-route';
import { Badge } from '../ui';
import { shellMessages } from './messages';

const noBadge = () => null;

/** The pages that are of use to somebody. */
export const pagesFor = (who: Who): readonly PageDefinition[] => pages.filter((page) => page.hidden !== true && (page.visibleTo?.(who) ?? true));

export function PageLink({ page, current, onGo }: { readonly page: PageDefinition; readonly current: boolean; readonly onGo?: () => void }) {
  const language = useLanguage();
  // Always the same function for one page, so the order of hooks holds.
  const useBadge = page.useBadge ?? noBadge;
  const count = useBadge();
  return (
    <a className="nav-link" href={hrefTo([page.path])} aria-current={current ? 'page' : undefined} onClick={onGo}>
      <page.icon size={16} aria-hidden />
      <span className="truncate">{page.title[language]}</span>
      {count !== null && count > 0 ? <Badge tone="accent">{count > 99 ? '99+' : count}</Badge> : null}
    </a>
  );
}

/** All pages, under their headings. */
export function Navigation({ who, onGo }: { readonly who: Who; readonly onGo?: () => void }) {
  const words = useMessages(shellMessages);
  const current = useRoute().parts[0] ?? pages[0]?.path;
  const shown = pagesFor(who);
  const groups = [
    ['data', words.groupData],
    ['work', words.groupWork],
    ['space', words.groupSpace],
  ] as const;
  return (
    <nav className="nav" aria-label={words.navigation}>
      {groups.map(([group, heading]) => {
        const members = shown.filter((page) => page.group === group);
        return members.length === 0 ? null : (
          <section key={group}>
            <h2 className="nav-heading">{heading}</h2>
            <ul role="list">
              {members.map((page) => (
                <li key={page.path}>
                  <PageLink page={page} current={page.path === current} {...(onGo ? { onGo } : {})} />
                </li>
              ))}
            </ul>
          </section>
        );
      })}
    </nav>
  );
}
