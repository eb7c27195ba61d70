import { StetError, type OperationClass } from '@stet/client';
import { useState } from 'react';
import { useClient, useSession } from '@stet/react';
import { useLanguage, type Language } from '../../i18n/language';
import { useMessages } from '../../i18n/messages';
import { listOf, objectOf, textOf } from '../../outside';
import { useSource } from '../../use-source';
import { Button, Checkbox, Dialog, ErrorNotice, errorSentence, Field, Notice, Select, showToast, TextArea, TextInput } from '../../ui';
import { durationText } from './durations';
import { queueMessages } from './messages';
import { emptyForm, requestOf, type FormFault, type FormFaults, type RequestForm } from './request';
import { classWords, type QueueWords } from './status-tag';
import { workOf } from './work';

export interface SubmitDialogProps {
  readonly lanes: readonly string[];
  readonly agents: readonly string[];
  readonly start: Partial<RequestForm>;
  readonly onClose: () => void;
  readonly onSubmitted: (id: string, lane: string) => void;
}

/** The form with which work is asked for, or tried out. */
export function SubmitDialog({ lanes, agents, start, onClose, onSubmitted }: SubmitDialogProps) {
  const words = useMessages(queueMessages);
  const language = useLanguage();
  const client = useClient();
  const session = useSession().state;
  const [form, setForm] = useState<RequestForm>({ ...emptyForm, ...start });
  const [faults, setFaults] = useState<FormFaults>({});
  const [jsonError, setJsonError] = useState<string | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [dry, setDry] = useState<string | null>(null);
  const [busy, setBusy] = useState<'send' | 'try' | null>(null);
  const functions = useSource<readonly string[]>(`functions ${client.space}`, () => ({
    atMostEveryMs: 1000,
    everyMs: null,
    read: async (signal) =>
      listOf(objectOf((await client.http.request('GET', '/functions', { signal })).body)['functions'])
        .map((one) => textOf(objectOf(one)['id']))
        .filter((name) => name !== undefined),
  })).state.value ?? [];
  const mayHurry = session.status === 'authenticated' && (session.who.admin || session.who.scopes.includes('priority'));
  const classes: readonly OperationClass[] = mayHurry ? ['low', 'normal', 'high', 'urgent', 'structural'] : ['low', 'normal'];
  const set = (change: Partial<RequestForm>) => {
    setForm({ ...form, ...change });
    setFaults({});
    setDry(null);
  };
  const send = async (how: 'send' | 'try') => {
    const result = requestOf(form, Date.now());
    setError(null);
    setDry(null);
    if (result.kind === 'faults') {
      setFaults(result.faults);
      setJsonError(result.jsonError);
      return;
    }
    setBusy(how);
    try {
      if (how === 'send') {
        const made = await client.operations.submit(result.request);
        showToast({ tone: 'success', title: made.position === undefined ? words.sentNow : words.sent(made.position) });
        onSubmitted(made.id, made.lane);
        onClose();
      } else {
        const { agent, function: name, opType, ...rest } = result.request;
        const body = { ...rest, ...(agent === undefined ? {} : { agent }), ...(name === undefined ? {} : { function: name }), ...(opType === undefined ? {} : { op_type: opType }) };
        const answer = workOf((await client.http.request('POST', '/operations', { query: { dry_run: true }, body })).body);
        setDry(words.tryOutResult(answer?.position ?? 1, answer === null || answer.waitS === null ? words.waitUnknown : durationText(answer.waitS, language)));
      }
    } catch (failure) {
      setError(failure);
    } finally {
      setBusy(null);
    }
  };
  const fault = (field: keyof RequestForm): string | null => faultOf(words, faults[field], field === 'input' ? jsonError : null) ?? serverFault(error, field, language);
  return (
    <Dialog
      open
      title={words.formTitle}
      description={words.formText}
      onClose={onClose}
      footer={
        <>
          <Button busy={busy === 'try'} onClick={() => void send('try')}>
            {words.tryOut}
          </Button>
          <Button variant="primary" busy={busy === 'send'} type="submit" form="submit-work">
            {words.send}
          </Button>
        </>
      }
    >
      <form
        id="submit-work"
        className="fields"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          void send('send');
        }}
      >
        <fieldset className="queue-doer">
          <legend>{words.doer}</legend>
          <Checkbox type="radio" name="doer" label={words.doerAgent} checked={form.doer === 'agent'} onChange={() => set({ doer: 'agent' })} />
          <Checkbox type="radio" name="doer" label={words.doerFunction} checked={form.doer === 'function'} onChange={() => set({ doer: 'function' })} />
          <Checkbox type="radio" name="doer" label={words.doerAny} checked={form.doer === 'any'} onChange={() => set({ doer: 'any' })} />
        </fieldset>
        {form.doer === 'agent' ? (
          <Field label={words.agent} hint={words.agentHint} error={fault('agent')} required>
            {(control) => <TextInput {...control} list="queue-agents" value={form.agent} spellCheck={false} autoCapitalize="none" onChange={(event) => set({ agent: event.target.value })} />}
          </Field>
        ) : null}
        {form.doer === 'function' ? (
          <Field label={words.function} error={fault('function')} hint={functions.length === 0 ? words.noFunctions : null} required>
            {(control) => <Select {...control} value={form.function} onChange={(event) => set({ function: event.target.value })} options={[{ value: '', label: '–' }, ...functions.map((name) => ({ value: name, label: name }))]} />}
          </Field>
        ) : null}
        <div className="queue-two">
          <Field label={words.lane} hint={words.laneHint} error={fault('lane')} required>
            {(control) => <TextInput {...control} list="queue-lanes" value={form.lane} spellCheck={false} autoCapitalize="none" onChange={(event) => set({ lane: event.target.value })} />}
          </Field>
          <Field label={words.class}>
            {(control) => (
              <Select
                {...control}
                value={form.class}
                onChange={(event) => set({ class: classes.find((name) => name === event.target.value) ?? 'normal' })}
                options={classes.map((name) => ({ value: name, label: classWords(words, name) }))}
              />
            )}
          </Field>
        </div>
        <Field label={words.input} hint={words.inputHint} error={fault('input')}>
          {(control) => <TextArea {...control} code rows={5} value={form.input} onChange={(event) => set({ input: event.target.value })} />}
        </Field>
        <div className="queue-two">
          <Field label={words.target} hint={words.targetHint} error={fault('target')}>
            {(control) => <TextInput {...control} code value={form.target} onChange={(event) => set({ target: event.target.value })} />}
          </Field>
          <Field label={words.opType} hint={words.opTypeHint} error={fault('opType')}>
            {(control) => <TextInput {...control} value={form.opType} onChange={(event) => set({ opType: event.target.value })} />}
          </Field>
        </div>
        <Field label={words.deadline} hint={words.deadlineHint} error={fault('deadline')}>
          {(control) => <TextInput {...control} type="datetime-local" value={form.deadline} onChange={(event) => set({ deadline: event.target.value })} />}
        </Field>
        <datalist id="queue-lanes">
          {lanes.map((name) => (
            <option key={name} value={name} />
          ))}
        </datalist>
        <datalist id="queue-agents">
          {agents.map((name) => (
            <option key={name} value={name} />
          ))}
        </datalist>
        <div role="status">{dry === null ? null : <Notice tone="info" title={dry} />}</div>
        {error === null ? null : <ErrorNotice error={error} />}
      </form>
    </Dialog>
  );
}

function faultOf(words: QueueWords, fault: FormFault | undefined, detail: string | null): string | null {
  switch (fault) {
    case undefined:
      return null;
    case 'required':
      return words.faultRequired;
    case 'too_long':
      return words.faultTooLong;
    case 'not_json':
      return detail === null ? words.faultNotJson : `${words.faultNotJson} ${detail}`;
    case 'not_object':
      return words.faultNotObject;
    case 'not_address':
      return words.faultNotAddress;
    case 'past':
      return words.faultPast;
  }
}

/** What the server said is wrong with a field, at that field. */
function serverFault(error: unknown, field: keyof RequestForm, language: Language): string | null {
  if (!(error instanceof StetError) || error.field === null) return null;
  const name = error.field.replace(/^\//, '').replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return name === field ? errorSentence(error, language) : null;
}
