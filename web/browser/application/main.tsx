/** A small application of tasks, written as anybody would write it with the packages: stories play with it what has to hold for
 *  every application, whatever the console looks like. */
import { createClient } from '@stet/client';
import { ConflictDialog, OfflineBanner, OptimisticIndicator, StetProvider, useConflicts, useList, useSession } from '@stet/react';
import '@stet/react/stet.css';
import { useState, type FormEvent, type ReactNode } from 'react';
import { createRoot } from 'react-dom/client';
import { TaskForm } from './task-form';
import type { Task } from './task';

const client = createClient({ reportMetrics: true });

function LogInForm(): ReactNode {
  const session = useSession();
  const [wrong, setWrong] = useState('');
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    session.logIn({ user: String(form.get('user')), password: String(form.get('password')) }).catch((error: unknown) => setWrong(String(error)));
  };
  return (
    <form onSubmit={submit} aria-label="Log in">
      <label>
        Name <input name="user" autoComplete="username" />
      </label>
      <label>
        Password <input name="password" type="password" autoComplete="current-password" />
      </label>
      <button type="submit">Log in</button>
      <p role="alert">{wrong}</p>
    </form>
  );
}

function Tasks({ actor, logOut }: { readonly actor: string; readonly logOut: () => void }): ReactNode {
  const list = useList<Task>('tasks', { sort: 'title', limit: 100 });
  const { mine } = useConflicts();
  const [chosen, setChosen] = useState<string | null>(null);
  const [postponed, setPostponed] = useState<string | null>(null);
  const conflict = mine.find((one) => one.resolutionToken !== postponed) ?? null;
  return (
    <>
      <header>
        <span>{actor}</span> <button onClick={logOut}>Log out</button>
        <OfflineBanner />
      </header>
      <ul aria-label="Tasks" aria-busy={list.status === 'loading'}>
        {list.items.map((item) => (
          <li key={item.address} data-id={item.id} data-phase={item.phase}>
            <button onClick={() => setChosen(item.id)}>{item.data?.title ?? '?'}</button> <span data-field="status">{item.data?.status}</span>{' '}
            <span data-field="assignee">{item.data?.assignee}</span> <OptimisticIndicator phase={item.phase} />
          </li>
        ))}
      </ul>
      {chosen === null ? null : <TaskForm key={chosen} id={chosen} close={() => setChosen(null)} />}
      <ConflictDialog conflict={conflict} noun="task" onEnd={(end) => setPostponed(end.kind === 'postponed' ? (conflict?.resolutionToken ?? null) : null)} />
    </>
  );
}

function Application(): ReactNode {
  const { state, logOut } = useSession();
  return (
    <main>
      <h1>Tasks</h1>
      {state.status === 'unknown' ? <p>…</p> : state.status === 'anonymous' ? <LogInForm /> : <Tasks actor={state.who.actor} logOut={() => void logOut()} />}
    </main>
  );
}

const root = document.getElementById('root');
if (root === null) throw new Error('the page has no root');
createRoot(root).render(
  <StetProvider client={client}>
    <Application />
  </StetProvider>,
);
