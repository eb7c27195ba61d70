/** What `examples/tasks` keeps of a task. */
export interface Task {
  readonly title: string;
  readonly status: string;
  readonly assignee?: string | null;
  readonly notes?: string;
}

/** The fields that a person changes here. */
export const taskFields = ['title', 'status', 'assignee', 'notes'] as const;
