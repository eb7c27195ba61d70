import type { Who } from '@stet/client';
import { CircleUserRound, Keyboard, LogOut, MonitorX } from 'lucide-react';
import { languages, setLanguage, useLanguage, type Language } from '../i18n/language';
import { useMessages } from '../i18n/messages';
import { navigate } from '../routing/use-route';
import { setTheme, useTheme, type Theme } from '../theme';
import { Avatar, Menu, plainName, showToast } from '../ui';
import { useClient } from '@stet/react';
import { shellMessages } from './messages';

const languageList: readonly Language[] = ['en', 'es'];

/** Who one is, how it looks, in which language, and the way out. */
export function AccountMenu({ who, onShortcuts }: { readonly who: Who; readonly onShortcuts: () => void }) {
  const words = useMessages(shellMessages);
  const client = useClient();
  const theme = useTheme();
  const language = useLanguage();
  const name = plainName(who.name ?? who.actor);
  const role = who.serverAdmin ? words.serverAdministrator : who.admin ? words.administrator : who.roles.length > 0 ? who.roles.join(', ') : words.member;
  const themes: readonly (readonly [Theme, string])[] = [
    ['system', words.themeSystem],
    ['light', words.themeLight],
    ['dark', words.themeDark],
  ];
  const everywhere = async () => {
    await client.http.request('DELETE', '/sessions', { query: { all: 1 } }).catch(() => undefined);
    await client.session.refresh();
    showToast({ tone: 'success', title: words.loggedOutEverywhere });
  };
  return (
    <Menu
      label={words.account}
      side="top"
      items={[
        { label: words.myAccount, icon: CircleUserRound, onSelect: () => navigate(['people', 'me']) },
        { label: words.shortcuts, icon: Keyboard, keys: '?', onSelect: onShortcuts },
        'line',
        { heading: words.theme },
        ...themes.map(([value, label]) => ({ label, checked: theme === value, onSelect: () => setTheme(value) })),
        { heading: words.language },
        ...languageList.map((value) => ({ label: languages[value], checked: language === value, onSelect: () => setLanguage(value) })),
        // By a token, or on a server that asks nobody, there is no session to end.
        ...(who.kind === 'session'
          ? [
              'line' as const,
              { label: words.logOut, icon: LogOut, onSelect: () => void client.session.logOut() },
              { label: words.logOutEverywhere, icon: MonitorX, onSelect: () => void everywhere() },
            ]
          : []),
      ]}
      trigger={(props) => (
        <button type="button" {...props} className="account-button">
          <span className="visually-hidden">{words.account}</span>
          <Avatar name={name} quiet />
          <span className="account-words">
            <span className="truncate">{name}</span>
            <span className="truncate account-role">{role}</span>
          </span>
        </button>
      )}
    />
  );
}
