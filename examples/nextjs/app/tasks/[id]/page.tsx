import { readRecord } from '../../../read-record';
import { TaskEditor, type Task } from './task-editor';

/** A task, rendered on the server with what is there now. */
export default async function TaskPage({ params }: { readonly params: Promise<{ readonly id: string }> }) {
  const { id } = await params;
  const task = await readRecord<Task>('tasks', decodeURIComponent(id));
  return <TaskEditor id={decodeURIComponent(id)} {...(task === null ? {} : { initial: task })} />;
}
