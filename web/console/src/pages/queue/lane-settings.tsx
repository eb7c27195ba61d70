import { useState } from 'react';
import { useClient } from '@stet/react';
import { useMessages } from '../../i18n/messages';
import { Button, Checkbox, Dialog, ErrorNotice, Field, TextInput } from '../../ui';
import { laneNumbers, settingsChange, type Lane, type LaneSettings } from './lane';
import { queueMessages } from './messages';

type Texts = Readonly<Record<(typeof laneNumbers)[number]['name'], string>>;

/** Changes the settings of one lane: only those that were changed are sent. */
export function LaneSettingsDialog({ lane, onClose, onSaved }: { readonly lane: Lane; readonly onClose: () => void; readonly onSaved: () => void }) {
  const words = useMessages(queueMessages);
  const client = useClient();
  const [texts, setTexts] = useState<Texts>(() => textsOf(lane.settings));
  const [fair, setFair] = useState(lane.settings.fair);
  const [busy, setBusy] = useState(false);
  const [tried, setTried] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const wrong = laneNumbers.filter(({ name, least }) => numberOf(texts[name], least) === null);
  const save = async () => {
    setTried(true);
    if (wrong.length > 0) return;
    const after = laneNumbers.reduce<LaneSettings>((settings, { name, least }) => ({ ...settings, [name]: numberOf(texts[name], least) ?? settings[name] }), { ...lane.settings, fair });
    const change = settingsChange(lane.settings, after);
    if (change === null) return onClose();
    setBusy(true);
    setError(null);
    try {
      await client.http.request('PUT', `/lanes/${encodeURIComponent(lane.id)}`, { body: change });
      onSaved();
      onClose();
    } catch (failure) {
      setError(failure);
    } finally {
      setBusy(false);
    }
  };
  const hints: Partial<Record<keyof Texts, string>> = { width: words.widthHint, ageS: words.ageHint };
  return (
    <Dialog
      open
      title={words.settingsTitle(lane.id)}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>{words.cancel}</Button>
          <Button variant="primary" busy={busy} type="submit" form="lane-settings">
            {words.save}
          </Button>
        </>
      }
    >
      <form
        id="lane-settings"
        className="fields queue-settings"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          void save();
        }}
      >
        {laneNumbers.map(({ name, least }) => (
          <Field key={name} label={words[name]} hint={hints[name]} error={tried && numberOf(texts[name], least) === null ? words.atLeast(least) : null}>
            {(control) => <TextInput {...control} inputMode="numeric" value={texts[name]} onChange={(event) => setTexts({ ...texts, [name]: event.target.value })} />}
          </Field>
        ))}
        <Checkbox label={words.fair} checked={fair} onChange={(event) => setFair(event.target.checked)} />
        {error === null ? null : <ErrorNotice error={error} />}
      </form>
    </Dialog>
  );
}

function textsOf(settings: LaneSettings): Texts {
  return {
    width: String(settings.width),
    maxQueued: String(settings.maxQueued),
    maxQueuedPerActor: String(settings.maxQueuedPerActor),
    ageS: String(settings.ageS),
    timeoutS: String(settings.timeoutS),
    keepS: String(settings.keepS),
  };
}

function numberOf(text: string, least: number): number | null {
  const number = Number(text.trim());
  return text.trim() !== '' && Number.isSafeInteger(number) && number >= least ? number : null;
}
