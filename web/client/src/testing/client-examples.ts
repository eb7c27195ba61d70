/** The examples of docs/client.md, word for word, so that they compile; `client-examples.test.ts` holds the two side by side. */
import { createClient } from '../index';

interface Task {
  readonly title: string;
  readonly done?: boolean;
}

/** Never run. */
export const examples = async (): Promise<void> => {
  const client = createClient({ url: 'https://stet.example.org' });

  const task = await client.records.get<Task>('tasks', '1');
  const page = await client.records.list<Task>('tasks', { where: 'done = false', sort: '-$updated_at', limit: 20 });
  console.log(task.data.title, page.records.length, page.next);

  const live = client.records.watch<Task>('tasks', '1');
  const stop = live.subscribe(() => {
    const { data, phase, people } = live.getSnapshot();
    console.log(data?.title, phase, people.map((person) => person.actor));
  });

  const open = client.records.live<Task>('tasks', { where: 'done = false', sort: 'title', total: true });
  open.subscribe(() => console.log(open.getSnapshot().items.map((item) => item.data?.title)));
  await open.more();

  const write = client.records.update<Task>('tasks', '1', { done: true });
  await write.local; // kept on this machine: it survives a reload
  const outcome = await write.confirmed; // the server's word; offline this may take days
  if (outcome.kind === 'rejected') console.log(outcome.error.code, outcome.error.field);

  client.records.update<Task>('tasks', '1', (data) => ({ ...data, title: data.title.trim() }));
  client.records.create<Task>('tasks', { title: 'Paint the fence' });
  client.records.remove('tasks', '2');
  client.records.transact([
    { op: 'patch', type: 'tasks', id: '1', patch: { done: true } },
    { op: 'create', type: 'log', id: 'x', data: { text: 'painted' } },
  ]);

  const [conflict] = client.conflicts.live.getSnapshot().mine;
  if (conflict !== undefined) {
    const settled = await client.conflicts.resolve(conflict, { choice: 'apply' });
    if (settled.kind === 'conflict') console.log('it changed once more', settled.conflict.fields);
  }

  const { id } = await client.operations.submit({ lane: 'agents', agent: 'planner', input: { goal: 'Lisbon in May' } });
  const waiting = client.operations.watch(id);
  waiting.subscribe(() => console.log(waiting.getSnapshot().operation?.position, waiting.getSnapshot().operation?.progress?.percent));
  console.log((await client.operations.result(id)).result);

  await client.updateWithLock('import', async () => {
    await client.http.request('POST', '/import', { body: '{"type":"tasks","id":"1","data":{}}\n', contentType: 'application/x-ndjson' });
  });
  stop();
  console.log(task.version, page.next);
};
