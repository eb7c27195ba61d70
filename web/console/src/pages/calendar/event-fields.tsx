import { useMessages } from '../../i18n/messages';
import { humanize } from '../../types/type-definition';
import { Checkbox, Field, Select, TextInput } from '../../ui';
import type { CalendarType, Intervals } from './declaration';
import { otherFields, withAllDay, type EventFault, type EventFaults, type EventForm } from './event-form';
import { calendarMessages } from './messages';
import type { Resource } from './use-resources';

export interface EventFieldsProps {
  readonly type: CalendarType;
  readonly kind: Intervals;
  readonly form: EventForm;
  readonly faults: EventFaults;
  readonly resources: readonly Resource[];
  /** Something new has fields that are not changed here later. */
  readonly isNew: boolean;
  readonly onChange: (form: EventForm) => void;
}

/** Title, times, resource and, for something new, how it repeats and what else the type asks for. */
export function EventFields({ type, kind, form, faults, resources, isNew, onChange }: EventFieldsProps) {
  const words = useMessages(calendarMessages);
  const fault = (name: string): string | null => {
    const found: EventFault | undefined = faults[name];
    return found === undefined ? null : { needed: words.needed, not_time: words.notTime, end_before_start: words.endBeforeStart }[found];
  };
  const input = form.allDay ? 'date' : 'datetime-local';
  return (
    <div className="fields">
      <Field label={words.name} error={fault('title')} required>
        {(control) => <TextInput {...control} value={form.title} autoFocus={isNew} onChange={(event) => onChange({ ...form, title: event.target.value })} />}
      </Field>
      <div className="calendar-two">
        <Field label={words.start} error={fault('start')} required>
          {(control) => <TextInput {...control} type={input} value={form.start} onChange={(event) => onChange({ ...form, start: event.target.value })} />}
        </Field>
        <Field label={words.end} error={fault('end')} required>
          {(control) => <TextInput {...control} type={input} value={form.end} onChange={(event) => onChange({ ...form, end: event.target.value })} />}
        </Field>
      </div>
      {kind.duration === null && 'at' in kind.start ? <Checkbox label={words.wholeDays} checked={form.allDay} onChange={(event) => onChange(withAllDay(form, event.target.checked))} /> : null}
      {kind.resource === null ? null : (
        <Field label={humanize(kind.resource.split('/').pop() ?? words.resource)} hint={isNew ? words.resourceHint : null}>
          {(control) => (
            <Select
              {...control}
              value={form.resource}
              onChange={(event) => onChange({ ...form, resource: event.target.value })}
              options={[{ value: '', label: '–' }, ...resources.map((one) => ({ value: one.id, label: one.name }))]}
            />
          )}
        </Field>
      )}
      {isNew
        ? otherFields(type, kind).map(({ field, kind: kindOf, values }) => (
            <Field key={field} label={humanize(field.split('/').pop() ?? field)} error={fault(field)} required>
              {(control) =>
                values.length > 0 || kindOf === 'boolean' ? (
                  <Select
                    {...control}
                    value={form.others[field] ?? ''}
                    onChange={(event) => onChange({ ...form, others: { ...form.others, [field]: event.target.value } })}
                    options={['', ...(kindOf === 'boolean' ? ['true', 'false'] : values)].map((value) => ({ value, label: value === '' ? '–' : value }))}
                  />
                ) : (
                  <TextInput
                    {...control}
                    inputMode={kindOf === 'number' || kindOf === 'integer' ? 'decimal' : 'text'}
                    value={form.others[field] ?? ''}
                    onChange={(event) => onChange({ ...form, others: { ...form.others, [field]: event.target.value } })}
                  />
                )
              }
            </Field>
          ))
        : null}
      {isNew && kind.recurrence !== null ? (
        <div className="calendar-two">
          <Field label={words.every}>
            {(control) => (
              <Select
                {...control}
                value={form.every}
                onChange={(event) => onChange({ ...form, every: everyOf(event.target.value) })}
                options={[
                  { value: '', label: words.never },
                  { value: 'DAILY', label: words.daily },
                  { value: 'WEEKLY', label: words.weekly },
                  { value: 'MONTHLY', label: words.monthly },
                  { value: 'YEARLY', label: words.yearly },
                ]}
              />
            )}
          </Field>
          {form.every === '' ? null : (
            <Field label={words.times} hint={words.timesHint}>
              {(control) => <TextInput {...control} inputMode="numeric" value={form.count} onChange={(event) => onChange({ ...form, count: event.target.value })} />}
            </Field>
          )}
        </div>
      ) : null}
    </div>
  );
}

function everyOf(value: string): EventForm['every'] {
  return value === 'DAILY' || value === 'WEEKLY' || value === 'MONTHLY' || value === 'YEARLY' ? value : '';
}
