'use client';

import type { RecordOf } from '@stet/client';
import { ConflictDialog, OptimisticIndicator, useMutation, useRecord, useSession } from '@stet/react';
import { useState } from 'react';
import { LogIn } from '../../log-in';

export interface Task {
  readonly title: string;
  readonly status: string;
}

/** Shows a task as it is now, saves what is written, and asks when somebody else changed the same. */
export function TaskEditor({ id, initial }: { readonly id: string; readonly initial?: RecordOf<Task> }) {
  const task = useRecord<Task>('tasks', id, initial === undefined ? {} : { initial });
  const session = useSession();
  const { update } = useMutation();
  const [title, setTitle] = useState<string | null>(null);
  /* Closed without deciding: the dialog stays away until there is another conflict. */
  const [later, setLater] = useState<string | null>(null);
  const conflict = task.conflict?.resolutionToken === later ? null : task.conflict;

  if (task.data === null && session.state.status === 'anonymous') return <LogIn />;
  if (task.status === 'loading') return <p>…</p>;
  if (task.data === null) return <p>{task.status === 'error' ? task.error?.message : 'There is no such task.'}</p>;
  return (
    <>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (title !== null) update<Task>('tasks', id, { title });
          setTitle(null);
        }}
      >
        <label>
          Title <input value={title ?? task.data.title} onChange={(event) => setTitle(event.target.value)} />
        </label>
        <button type="submit">Save</button> <OptimisticIndicator phase={task.phase} {...(task.error === null ? {} : { why: task.error.message })} />
      </form>
      <ConflictDialog
        conflict={conflict}
        noun="task"
        labels={{ '/title': 'Title', '/status': 'Status' }}
        onEnd={(end) => setLater(end.kind === 'postponed' ? (task.conflict?.resolutionToken ?? null) : null)}
      />
    </>
  );
}
