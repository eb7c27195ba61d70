import { useClient } from '@stet/react';
import { Braces } from 'lucide-react';
import { useMessages } from '../../i18n/messages';
import { hrefTo, navigate } from '../../routing/use-route';
import { useResource } from '../../use-resource';
import { CopyButton, EmptyState, ErrorNotice, Panel, Person, RelativeTime, Skeleton, SplitPane, Table } from '../../ui';
import { schemaMessages } from './messages';
import { readFunctions, type FunctionDefinition } from './schema-requests';

/** The functions of the space; one of them with its source, to be read. */
export function FunctionList({ selected }: { readonly selected: string | null }) {
  const words = useMessages(schemaMessages);
  const client = useClient();
  const functions = useResource(`functions:${client.space}`, readFunctions);
  const shown = functions.value?.find(({ name }) => name === selected) ?? null;
  return (
    <SplitPane panel={shown === null ? null : <FunctionPanel definition={shown} />}>
      <div className="page-scroll">
        {functions.status === 'loading' ? <div className="page-column"><Skeleton label={words.loading} /></div> : null}
        {functions.error === null ? null : <div className="page-column"><ErrorNotice error={functions.error} onRetry={() => void functions.refresh()} /></div>}
        {functions.value?.length === 0 ? (
          <EmptyState icon={Braces} title={words.noFunctions}>
            {words.noFunctionsHint} <code className="schema-command">stet functions apply</code>
          </EmptyState>
        ) : null}
        {functions.value !== null && functions.value.length > 0 ? (
          <Table caption={words.functions} head={[words.name, words.description, words.callableBy, words.changed]}>
            {functions.value.map((one) => (
              <tr key={one.name} className="schema-row" onClick={() => navigate(['schema', 'functions', one.name])}>
                <td>
                  <a className="mono" href={hrefTo(['schema', 'functions', one.name])} aria-current={one.name === selected || undefined} onClick={(event) => event.stopPropagation()}>
                    {one.name}
                  </a>
                  <span className="faint schema-pointer">
                    {words.version(one.version)} · {one.runAs === 'admin' ? words.runsAs_admin : words.runsAs_caller}
                  </span>
                </td>
                <td className="soft">{one.description}</td>
                <td>{one.roles.length === 0 ? words.everybody : one.roles.join(', ')}</td>
                <td className="soft">
                  <RelativeTime time={one.updatedAt} />
                </td>
              </tr>
            ))}
          </Table>
        ) : null}
      </div>
    </SplitPane>
  );
}

function FunctionPanel({ definition }: { readonly definition: FunctionDefinition }) {
  const words = useMessages(schemaMessages);
  return (
    <Panel
      label={definition.name}
      title={<span className="mono">{definition.name}</span>}
      subtitle={words.version(definition.version)}
      actions={definition.source === null ? undefined : <CopyButton text={definition.source} />}
      onClose={() => navigate(['schema', 'functions'])}
    >
      <section className="panel-section stack">
        {definition.description === null ? null : <p>{definition.description}</p>}
        <p className="soft row">
          {words.changed} <RelativeTime time={definition.updatedAt} /> <Person name={definition.updatedBy} />
        </p>
      </section>
      <section className="panel-section">
        <h3 className="visually-hidden">{words.source}</h3>
        {definition.source === null ? (
          <p className="soft">{words.noSource}</p>
        ) : (
          <pre className="schema-source" tabIndex={0} aria-label={words.source}>
            {definition.source.trimEnd().split('\n').map((line, index) => (
              <span key={index} className="schema-source-line">
                <span className="schema-source-number" aria-hidden>
                  {index + 1}
                </span>
                {line}
                {'\n'}
              </span>
            ))}
          </pre>
        )}
      </section>
    </Panel>
  );
}
