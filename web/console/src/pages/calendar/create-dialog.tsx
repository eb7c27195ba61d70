import { useSession } from '@stet/react';
import { useState } from 'react';
import { useMessages } from '../../i18n/messages';
import { Button, Dialog } from '../../ui';
import type { JsonObject } from '@stet/client';
import type { CalendarType, Intervals } from './declaration';
import type { Draft } from './draft';
import { EventFields } from './event-fields';
import { formOf, newData, otherFields, type EventFaults, type EventForm } from './event-form';
import { calendarMessages } from './messages';
import type { Resource } from './use-resources';

export interface CreateDialogProps {
  readonly type: CalendarType;
  readonly kind: Intervals;
  readonly draft: Draft;
  readonly zone: string;
  readonly resources: readonly Resource[];
  readonly onCreate: (data: JsonObject, draft: Draft) => void;
  readonly onClose: () => void;
}

/** Fields that mean whoever makes it. */
const ownFields = /\/(organizer|owner|author|created_by|host)$/;

/** Asks what else something new on the calendar needs. */
export function CreateDialog({ type, kind, draft, zone, resources, onCreate, onClose }: CreateDialogProps) {
  const words = useMessages(calendarMessages);
  const session = useSession().state;
  const [form, setForm] = useState<EventForm>(() => {
    const actor = session.status === 'authenticated' ? session.who.actor : '';
    const others = Object.fromEntries(otherFields(type, kind).map(({ field, values }) => [field, ownFields.test(field) ? actor : (values[0] ?? '')]));
    return { ...formOf(draft, '', zone), others };
  });
  const [faults, setFaults] = useState<EventFaults>({});
  return (
    <Dialog
      open
      title={words.createTitle(type.title)}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>{words.cancel}</Button>
          <Button variant="primary" type="submit" form="calendar-create">
            {words.save}
          </Button>
        </>
      }
    >
      <form
        id="calendar-create"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          const made = newData(type, kind, form, zone);
          if ('faults' in made) {
            setFaults(made.faults);
            return;
          }
          onClose();
          onCreate(made.data, made.draft);
        }}
      >
        <EventFields type={type} kind={kind} form={form} faults={faults} resources={resources} isNew onChange={(next) => { setForm(next); setFaults({}); }} />
      </form>
    </Dialog>
  );
}
