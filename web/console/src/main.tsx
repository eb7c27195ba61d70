import '@stet/react/stet.css';
import './styles.css';
import { createClient } from '@stet/client';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './app/app';
import { startLanguage } from './i18n/language';
import { startWorker } from './offline/start-worker';
import { parseRoute } from './routing/route';
import { startFirst } from './start';
import { startTheme } from './theme';

/** The server is where the page came from, base path and all. */
const url = new URL('.', location.href).href.replace(/\/$/, '');
const makeClient = startFirst(parseRoute(location.hash), (space) => createClient({ url, space, reportMetrics: true }));

startTheme();
startLanguage();
const root = document.getElementById('root');
if (root) {
  createRoot(root).render(
    <StrictMode>
      <App makeClient={makeClient} />
    </StrictMode>,
  );
}
startWorker(url);
