import { StetError } from '@stet/client';
import { useClient } from '@stet/react';
import { Webhook } from 'lucide-react';
import { useFormat } from '../../i18n/format';
import { useMessages } from '../../i18n/messages';
import { hrefTo } from '../../routing/use-route';
import { useResource } from '../../use-resource';
import { EmptyState, ErrorNotice, RelativeTime, Skeleton, Table, Tag } from '../../ui';
import { schemaMessages } from './messages';
import { readHandlers, type Handler } from './schema-requests';

const followMs = 5000;

/** The handlers of the space, what they do, and how far they have come. */
export function HandlerList() {
  const words = useMessages(schemaMessages);
  const client = useClient();
  const handlers = useResource(`handlers:${client.space}`, readHandlers, { everyMs: followMs });
  const hidden = handlers.error instanceof StetError && handlers.error.code === 'FORBIDDEN';
  return (
    <div className="page-scroll">
      <div className="page-column">
        {handlers.status === 'loading' ? <Skeleton label={words.loading} /> : null}
        {handlers.error === null || hidden ? null : <ErrorNotice error={handlers.error} onRetry={() => void handlers.refresh()} />}
        {handlers.value?.length === 0 || hidden ? (
          <EmptyState icon={Webhook} title={words.noHandlers}>
            {words.noHandlersHint} <code className="schema-command">stet handlers put</code>
          </EmptyState>
        ) : null}
        {handlers.value !== null && handlers.value.length > 0 ? (
          <div className="card">
            <Table caption={words.handlers} head={[words.name, words.reactsTo, words.does, words.progress]}>
              {handlers.value.map((one) => (
                <Row key={one.name} handler={one} />
              ))}
            </Table>
          </div>
        ) : null}
      </div>
    </div>
  );
}

function Row({ handler }: { readonly handler: Handler }) {
  const words = useMessages(schemaMessages);
  const format = useFormat();
  return (
    <tr>
      <td>
        <strong className="mono">{handler.name}</strong>
        <span className="faint schema-pointer">{words.version(handler.version)}</span>
        {handler.description === null ? null : <span className="soft schema-pointer">{handler.description}</span>}
      </td>
      <td>
        {handler.on.join(', ')} {handler.type === null ? null : words.ofType(handler.type)}
        {handler.where === null ? null : <code className="schema-code">{handler.where}</code>}
      </td>
      <td>
        {handler.does === null ? null : handler.does.kind === 'function' ? (
          <a href={hrefTo(['schema', 'functions', handler.does.what])}>{words.does_function(handler.does.what)}</a>
        ) : (
          words[`does_${handler.does.kind}`](handler.does.what)
        )}
      </td>
      <td>
        {handler.paused ? <Tag tone="warning">{words.paused}</Tag> : handler.failed > 0 ? <Tag tone="danger">{words.failing}</Tag> : <Tag tone="success">{words.works}</Tag>}
        <span className="faint schema-pointer">
          {handler.lag === 0 ? words.upToDate : words.behind(format.number(handler.lag))}
          {handler.failed === 0 ? null : <> · {words.failedTimes(format.number(handler.failed))}</>}
        </span>
        {handler.lastError === null ? null : (
          <span className="soft schema-pointer">
            {words.lastError}: {handler.lastError} {handler.lastErrorAt === null ? null : <RelativeTime time={handler.lastErrorAt} />}
          </span>
        )}
      </td>
    </tr>
  );
}
