import { AlignLeft, CornerDownRight } from 'lucide-react';
import { useRef } from 'react';
import { useMessages } from '../../i18n/messages';
import { Button, Field, TextArea } from '../../ui';
import { parseJsonObject } from './json-text';
import { recordsMessages } from './messages';
import { jsonWords } from './wrong-words';

/** A record's data as text; what is wrong is named by its line and can be gone to. */
export function JsonEditor({ text, refused, onChange }: { readonly text: string; readonly refused: string | null; readonly onChange: (text: string) => void }) {
  const words = useMessages(recordsMessages);
  const area = useRef<HTMLTextAreaElement>(null);
  const read = parseJsonObject(text);
  const go = () => {
    if (read.ok) return;
    area.current?.focus();
    area.current?.setSelectionRange(read.offset, Math.min(text.length, read.offset + 1));
  };
  return (
    <div className="panel-section fields records-json">
      <Field label={words.json} quiet error={read.ok ? refused : jsonWords(read, words)}>
        {(control) => <TextArea {...control} ref={area} code rows={18} value={text} onChange={(event) => onChange(event.target.value)} autoComplete="off" autoCapitalize="none" />}
      </Field>
      <div className="row">
        {read.ok ? (
          <Button size="small" variant="ghost" icon={AlignLeft} onClick={() => onChange(JSON.stringify(read.value, null, 2))}>
            {words.jsonFormat}
          </Button>
        ) : (
          <Button size="small" variant="ghost" icon={CornerDownRight} onClick={go}>
            {words.jsonGo}
          </Button>
        )}
      </div>
    </div>
  );
}
