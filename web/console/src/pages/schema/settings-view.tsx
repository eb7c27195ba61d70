import { StetError, type JsonObject } from '@stet/client';
import { useClient } from '@stet/react';
import { BellPlus, Pencil, Trash2 } from 'lucide-react';
import { useState } from 'react';
import { useMessages } from '../../i18n/messages';
import { objectOf } from '../../outside';
import { useAction } from '../../use-action';
import { useResource } from '../../use-resource';
import { Button, ConfirmDialog, Dialog, ErrorNotice, Field, IconButton, Notice, Select, showToast, Skeleton, Tag, TextInput } from '../../ui';
import { schemaMessages } from './messages';
import { putSettings, readSettings } from './schema-requests';
import { emptyThreshold, isThresholdName, measures, severities, thresholdsOf, withLimits, withThreshold, type Settings, type ThresholdForm } from './settings';

/** What the space is bound by, what it watches, and who sees operations. */
export function SettingsView({ admin }: { readonly admin: boolean }) {
  const words = useMessages(schemaMessages);
  const client = useClient();
  const settings = useResource(`settings:${client.space}`, readSettings);
  const hidden = settings.error instanceof StetError && settings.error.code === 'FORBIDDEN';
  const save = async (definition: JsonObject) => {
    if (settings.value === null) return;
    await putSettings(client, definition, settings.value.version);
    showToast({ tone: 'success', title: words.settingsSaved });
    await settings.refresh();
  };
  return (
    <div className="page-scroll">
      <div className="page-column schema-narrow">
        {settings.status === 'loading' ? <Skeleton label={words.loading} /> : null}
        {hidden ? <Notice tone="info" title={words.settingsHidden} /> : settings.error === null ? null : <ErrorNotice error={settings.error} onRetry={() => void settings.refresh()} />}
        {settings.value === null ? null : (
          <>
            <Alerts settings={settings.value} admin={admin} onSave={save} />
            <Limits key={settings.value.version} settings={settings.value} admin={admin} onSave={save} />
            <Operations settings={settings.value} admin={admin} onSave={save} />
          </>
        )}
      </div>
    </div>
  );
}

interface PartProps {
  readonly settings: Settings;
  readonly admin: boolean;
  readonly onSave: (definition: JsonObject) => Promise<void>;
}

type Words = ReturnType<typeof useMessages<(typeof schemaMessages)['en']>>;
const measureWords = (measure: string, words: Words): string => {
  const known = measures.find((one) => one === measure);
  return known === undefined ? measure : words[`measure_${known}`];
};

function Alerts({ settings, admin, onSave }: PartProps) {
  const words = useMessages(schemaMessages);
  const [edited, setEdited] = useState<{ readonly name: string; readonly form: ThresholdForm } | null>(null);
  const [removed, setRemoved] = useState<string | null>(null);
  const thresholds = thresholdsOf(settings);
  return (
    <section className="card">
      <div className="card-head">
        <h2>{words.alerts}</h2>
        {admin ? (
          <Button size="small" icon={BellPlus} onClick={() => setEdited({ name: '', form: emptyThreshold })}>
            {words.addAlert}
          </Button>
        ) : null}
      </div>
      <div className="card-body stack">
        <p className="soft schema-small">{words.alertsHint}</p>
        {thresholds.length === 0 ? <p>{words.noAlerts}</p> : null}
        <ul role="list" className="schema-alerts">
          {thresholds.map(({ form, webhook }) => (
            <li key={form.name}>
              <div>
                <strong>{form.name}</strong>
                <span className="soft">
                  {words.alertWords(measureWords(form.measure, words), form.above)}
                  {form.lane === '' ? null : <> · {form.lane}</>}
                  {form.forS === '' ? null : <> · {form.forS} s</>}
                  {webhook ? <> · {words.withWebhook}</> : null}
                </span>
              </div>
              <Tag tone={form.severity === 'critical' ? 'danger' : 'warning'}>{form.severity === 'critical' ? words.severity_critical : words.severity_warning}</Tag>
              {admin ? (
                <>
                  <IconButton icon={Pencil} size="small" label={`${words.edit}: ${form.name}`} onClick={() => setEdited({ name: form.name, form })} />
                  <IconButton icon={Trash2} size="small" tone="danger" label={words.removeAlert(form.name)} onClick={() => setRemoved(form.name)} />
                </>
              ) : null}
            </li>
          ))}
        </ul>
      </div>
      {edited === null ? null : <AlertDialog key={edited.name} edited={edited} settings={settings} onSave={onSave} onClose={() => setEdited(null)} />}
      <ConfirmDialog
        open={removed !== null}
        title={words.removeAlertTitle(removed ?? '')}
        confirm={words.removeAlert(removed ?? '')}
        onConfirm={() => onSave(withThreshold(settings, removed ?? '', null))}
        onClose={() => setRemoved(null)}
      >
        <p>{words.removeAlertDoes}</p>
      </ConfirmDialog>
    </section>
  );
}

function AlertDialog({ edited, settings, onSave, onClose }: { readonly edited: { readonly name: string; readonly form: ThresholdForm }; readonly settings: Settings; readonly onSave: PartProps['onSave']; readonly onClose: () => void }) {
  const words = useMessages(schemaMessages);
  const action = useAction();
  const [form, setForm] = useState(edited.form);
  const problem = action.error instanceof StetError ? action.error : null;
  /** The server names a member below /alerts/NAME. */
  const at = (member: string): string | null => (problem?.field?.endsWith(`/${member}`) === true ? problem.message : null);
  const placed = problem?.field !== undefined && problem?.field !== null && ['measure', 'above', 'for_s', 'clear_below', 'lane', 'severity'].some((member) => at(member) !== null);
  const set = (change: Partial<ThresholdForm>) => setForm({ ...form, ...change });
  const named = isThresholdName(form.name.trim());
  const ready = named && form.above.trim() !== '' && Number.isFinite(Number(form.above.replace(',', '.')));
  const save = async () => {
    if (ready && (await action.run(() => onSave(withThreshold(settings, edited.name, form))))) onClose();
  };
  return (
    <Dialog
      open
      title={edited.name === '' ? words.addAlert : edited.name}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>{words.cancel}</Button>
          <Button type="submit" form="schema-alert" variant="primary" busy={action.busy} disabled={!ready}>
            {words.save}
          </Button>
        </>
      }
    >
      <form
        id="schema-alert"
        className="fields"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          void save();
        }}
      >
        <Field label={words.alertName} required error={named || form.name.trim() === '' ? null : words.alertNameWrong}>{(control) => <TextInput {...control} autoFocus value={form.name} onChange={(event) => set({ name: event.target.value })} />}</Field>
        <Field label={words.measure} error={at('measure')}>
          {(control) => <Select {...control} value={form.measure} onChange={(event) => set({ measure: event.target.value })} options={measures.map((measure) => ({ value: measure, label: measureWords(measure, words) }))} />}
        </Field>
        <div className="schema-pair">
          <Field label={words.above} required error={at('above')}>{(control) => <TextInput {...control} inputMode="decimal" value={form.above} onChange={(event) => set({ above: event.target.value })} />}</Field>
          <Field label={words.forSeconds} error={at('for_s')}>{(control) => <TextInput {...control} inputMode="numeric" value={form.forS} onChange={(event) => set({ forS: event.target.value })} />}</Field>
        </div>
        <div className="schema-pair">
          <Field label={words.clearBelow} error={at('clear_below')}>{(control) => <TextInput {...control} inputMode="decimal" value={form.clearBelow} onChange={(event) => set({ clearBelow: event.target.value })} />}</Field>
          <Field label={words.severity} error={at('severity')}>
            {(control) => (
              <Select {...control} value={form.severity} onChange={(event) => set({ severity: event.target.value })} options={severities.map((severity) => ({ value: severity, label: words[`severity_${severity}`] }))} />
            )}
          </Field>
        </div>
        {form.measure === 'conflict_rate' ? null : (
          <Field label={words.lane} hint={words.laneHint} error={at('lane')}>{(control) => <TextInput {...control} code value={form.lane} onChange={(event) => set({ lane: event.target.value })} />}</Field>
        )}
        {action.error === null || placed ? null : <ErrorNotice error={action.error} />}
      </form>
    </Dialog>
  );
}

function Limits({ settings, admin, onSave }: PartProps) {
  const words = useMessages(schemaMessages);
  const action = useAction();
  const limits = objectOf(settings.definition['limits']);
  const writes = objectOf(limits['writes_per_actor']);
  const text = (value: unknown) => (typeof value === 'number' ? String(value) : '');
  const [form, setForm] = useState({ records: text(limits['records']), bytes: text(limits['bytes']), rate: text(writes['rate']), burst: text(writes['burst']) });
  const before = { records: text(limits['records']), bytes: text(limits['bytes']), rate: text(writes['rate']), burst: text(writes['burst']) };
  const changed = (['records', 'bytes', 'rate', 'burst'] as const).some((member) => form[member].trim() !== before[member]);
  const problem = action.error instanceof StetError ? action.error : null;
  const at = (pointer: string): string | null => (problem?.field?.startsWith(pointer) === true ? problem.message : null);
  const number = (member: keyof typeof form, label: string, pointer: string) => {
    const bad = form[member].trim() !== '' && !Number.isFinite(Number(form[member].replace(',', '.')));
    return (
      <Field label={label} error={bad ? words.notNumber : at(pointer)}>
        {(control) => <TextInput {...control} inputMode="decimal" readOnly={!admin} value={form[member]} onChange={(event) => setForm({ ...form, [member]: event.target.value })} />}
      </Field>
    );
  };
  return (
    <section className="card">
      <div className="card-head">
        <h2>{words.limits}</h2>
      </div>
      <form
        className="card-body fields"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          void action.run(() => onSave(withLimits(settings, form)));
        }}
      >
        <p className="soft schema-small">{words.limitsHint}</p>
        <div className="schema-pair">
          {number('records', words.limitRecords, '/limits/records')}
          {number('bytes', words.limitBytes, '/limits/bytes')}
        </div>
        <div className="schema-pair">
          {number('rate', words.limitRate, '/limits/writes_per_actor/rate')}
          {number('burst', words.limitBurst, '/limits/writes_per_actor/burst')}
        </div>
        {action.error === null || problem?.field?.startsWith('/limits/') === true ? null : <ErrorNotice error={action.error} />}
        {admin ? (
          <div className="row">
            <Button type="submit" busy={action.busy} disabled={!changed}>
              {words.save}
            </Button>
          </div>
        ) : null}
      </form>
    </section>
  );
}

const sights = ['services', 'members', 'private'] as const;

function Operations({ settings, admin, onSave }: PartProps) {
  const words = useMessages(schemaMessages);
  const action = useAction();
  const now = sights.find((one) => one === settings.definition['operations']) ?? 'services';
  return (
    <section className="card">
      <div className="card-body fields">
        <Field label={words.operations} hint={words.operationsHint}>
          {(control) => (
            <Select
              {...control}
              disabled={!admin || action.busy}
              value={now}
              onChange={(event) => void action.run(() => onSave({ ...settings.definition, operations: event.target.value }))}
              options={sights.map((one) => ({ value: one, label: words[`operations_${one}`] }))}
            />
          )}
        </Field>
        {action.error === null ? null : <ErrorNotice error={action.error} />}
      </div>
    </section>
  );
}
