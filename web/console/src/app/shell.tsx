import type { Who } from '@stet/client';
import { FileQuestion, Keyboard, Languages, LogOut, Menu as MenuIcon, Search, SunMoon } from 'lucide-react';
import { Suspense, useEffect, useRef, useState } from 'react';
import { languages, setLanguage, useLanguage } from '../i18n/language';
import { useMessages } from '../i18n/messages';
import { pages } from '../pages/pages';
import { hrefTo, navigate, useRoute } from '../routing/use-route';
import { setTheme, useTheme } from '../theme';
import { Dialog, EmptyState, IconButton, KeyHint, Skeleton, Toasts } from '../ui';
import { AccountMenu } from './account-menu';
import { OfflineBanner, useClient } from '@stet/react';
import { CommandPalette } from './command-palette';
import { useCommands } from './commands';
import { ConnectionState } from './connection-state';
import { Wordmark } from './logo';
import { shellMessages } from './messages';
import { Navigation, PageLink, pagesFor } from './navigation';
import { PageBoundary } from './page-boundary';
import { ShortcutHelp } from './shortcut-help';
import { SpaceSwitcher } from './space-switcher';
import { useKeys } from './use-keys';
import { WriteWatch } from './write-watch';

/** Pages in the bar of narrow screens; the others are behind "More". */
const barPagesMax = 4;

/** What surrounds every page. */
export function Shell({ who }: { readonly who: Who }) {
  const words = useMessages(shellMessages);
  const language = useLanguage();
  const theme = useTheme();
  const client = useClient();
  const route = useRoute();
  const path = route.parts[0] ?? pages[0]?.path;
  const page = pages.find((candidate) => candidate.path === path);
  const main = useRef<HTMLElement>(null);
  const [over, setOver] = useState<'palette' | 'help' | 'drawer' | null>(null);
  const visible = pagesFor(who);
  useKeys();
  useCommands([
    { id: 'palette', label: words.search, keys: 'Mod+k', group: words.everywhere, keyOnly: true, run: () => setOver('palette') },
    ...visible.map((target) => ({ id: `go-${target.path}`, label: target.title[language], icon: target.icon, keys: target.shortcut, group: words.goTo, run: () => navigate([target.path]) })),
    { id: 'help', label: words.shortcuts, icon: Keyboard, keys: '?', group: words.everywhere, run: () => setOver('help') },
    { id: 'theme', label: `${words.theme}: ${theme === 'dark' ? words.themeLight : words.themeDark}`, icon: SunMoon, group: words.everywhere, run: () => setTheme(theme === 'dark' ? 'light' : 'dark') },
    { id: 'language', label: `${words.language}: ${languages[language === 'en' ? 'es' : 'en']}`, icon: Languages, group: words.everywhere, run: () => setLanguage(language === 'en' ? 'es' : 'en') },
    ...(who.kind === 'session' ? [{ id: 'log-out', label: words.logOut, icon: LogOut, group: words.everywhere, run: () => void client.session.logOut() }] : []),
  ]);
  // Who comes to another page by keyboard or reader begins at its heading.
  const arrived = useRef(false);
  useEffect(() => {
    if (arrived.current) main.current?.querySelector('h1')?.focus({ preventScroll: true });
    arrived.current = true;
  }, [path]);
  return (
    <div className="shell">
      <a className="skip" href="#content" onClick={(event) => { event.preventDefault(); main.current?.focus(); }}>
        {words.skip}
      </a>
      <aside className="sidebar">
        <div className="sidebar-head">
          <Wordmark />
          <SpaceSwitcher />
        </div>
        <button type="button" className="search-button" onClick={() => setOver('palette')}>
          <Search size={14} aria-hidden />
          <span>{words.searchShort}</span>
          <KeyHint keys="Mod+k" />
        </button>
        <Navigation who={who} />
        <div className="sidebar-foot">
          <ConnectionState />
          <AccountMenu who={who} onShortcuts={() => setOver('help')} />
        </div>
      </aside>
      <header className="topbar">
        <Wordmark />
        <SpaceSwitcher />
        <span className="page-space" />
        <ConnectionState />
        <IconButton icon={Search} label={words.searchShort} onClick={() => setOver('palette')} />
      </header>
      <main className="main" id="content" ref={main} tabIndex={-1}>
        <OfflineBanner />
        {page ? (
          <PageBoundary key={page.path}>
            <Suspense fallback={<Skeleton label={words.loading} />}>
              <page.component />
            </Suspense>
          </PageBoundary>
        ) : (
          <EmptyState icon={FileQuestion} title={words.pageUnknown} action={<a className="button button-secondary" href={hrefTo([])}>{words.goHome}</a>}>
            {words.pageUnknownHint}
          </EmptyState>
        )}
      </main>
      <nav className="tabbar" aria-label={words.navigation}>
        {visible.slice(0, barPagesMax).map((target) => (
          <PageLink key={target.path} page={target} current={target.path === path} />
        ))}
        <button type="button" className="nav-link" aria-haspopup="dialog" aria-expanded={over === 'drawer'} onClick={() => setOver('drawer')}>
          <MenuIcon size={16} aria-hidden />
          <span className="truncate">{words.more}</span>
        </button>
      </nav>
      <Dialog open={over === 'drawer'} title={words.menu} place="left" onClose={() => setOver(null)} footer={<AccountMenu who={who} onShortcuts={() => setOver('help')} />}>
        <Navigation who={who} onGo={() => setOver(null)} />
      </Dialog>
      <CommandPalette open={over === 'palette'} onClose={() => setOver(null)} />
      <ShortcutHelp open={over === 'help'} onClose={() => setOver(null)} />
      <WriteWatch />
      <Toasts />
    </div>
  );
}
