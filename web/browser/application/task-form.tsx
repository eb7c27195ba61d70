import { useMutation, useRecord } from '@stet/react';
import { useEffect, useState, type FormEvent, type ReactNode } from 'react';
import { taskFields, type Task } from './task';

/** Edits a task from the version that was there when the form was opened, whatever happens meanwhile. */
export function TaskForm({ id, close }: { readonly id: string; readonly close: () => void }): ReactNode {
  const task = useRecord<Task>('tasks', id);
  const { update, last } = useMutation();
  const [from, setFrom] = useState<typeof task | null>(null);
  // The first state that there is stays under the form until it was saved.
  useEffect(() => {
    if (from === null && task.data !== null) setFrom(task);
  }, [from, task]);
  if (from === null || from.data === null) return <p>…</p>;
  const before = from.data;
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const changed = taskFields.filter((field) => String(form.get(field)) !== String(before[field] ?? ''));
    const change = Object.fromEntries(changed.map((field) => [field, String(form.get(field))]));
    update<Task>('tasks', id, change, from.record === null ? {} : { base: from.record.version });
    setFrom(null);
  };
  return (
    <form key={from.record?.version ?? 'new'} onSubmit={submit} aria-label="Task" data-version={task.record?.version} data-phase={last.phase} data-kept={last.kept}>
      {taskFields.map((field) => (
        <label key={field}>
          {field} <input name={field} defaultValue={String(before[field] ?? '')} />
        </label>
      ))}
      <button type="submit">Save</button> <button type="button" onClick={close}>Close</button>
      <output aria-label="Now">{JSON.stringify(task.data)}</output>
      <output aria-label="People">{task.people.map(({ actor }) => actor).join(', ')}</output>
    </form>
  );
}
