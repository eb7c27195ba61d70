/** All pages, in the order of the navigation. The first one is where the console opens. */
import type { PageDefinition } from './page';
import { page as activity } from './activity/page';
import { page as calendar } from './calendar/page';
import { page as conflicts } from './conflicts/page';
import { page as dashboard } from './dashboard/page';
import { page as history } from './history/page';
import { page as people } from './people/page';
import { page as queue } from './queue/page';
import { page as records } from './records/page';
import { page as schema } from './schema/page';

export const pages: readonly PageDefinition[] = [records, conflicts, history, activity, calendar, queue, dashboard, people, schema];
