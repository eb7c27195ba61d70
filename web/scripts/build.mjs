// Builds what is served and packed.
//
//   node scripts/build.mjs                    client, react, the packages and the console
//   node scripts/build.mjs console            only the console: console/dist
//   node scripts/build.mjs sdk                only client/dist, react/dist and the packages: dist/sdk
//   node scripts/build.mjs --serve [URL]      the console at http://127.0.0.1:7839, built anew at each change; all other requests go to
//                                             the server at URL (http://127.0.0.1:7838)
import { buildConsole } from './console-build.mjs';
import { serveConsole } from './console-serve.mjs';
import { buildSdk } from './sdk-build.mjs';

const [what, url] = process.argv.slice(2);
switch (what) {
  case undefined:
    await buildSdk();
    await buildConsole();
    break;
  case 'console':
    await buildConsole();
    break;
  case 'sdk':
    await buildSdk();
    break;
  case '--serve':
    await serveConsole(url ?? 'http://127.0.0.1:7838');
    break;
  default:
    console.error(`build: there is no "${what}"`);
    process.exitCode = 2;
}
