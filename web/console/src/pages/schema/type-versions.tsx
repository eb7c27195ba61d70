import { ArrowLeft, History } from 'lucide-react';
import { useClient } from '@stet/react';
import { useMessages } from '../../i18n/messages';
import { hrefTo } from '../../routing/use-route';
import { useResource } from '../../use-resource';
import { EmptyState, ErrorNotice, Person, RelativeTime, Skeleton } from '../../ui';
import { DifferenceList } from './difference-list';
import { definitionOf } from './definition';
import { schemaMessages } from './messages';
import { readVersions, type DefinitionVersion } from './schema-requests';

/** What a definition was before, version by version, and who changed what. */
export function TypeVersions({ name }: { readonly name: string }) {
  const words = useMessages(schemaMessages);
  const client = useClient();
  const versions = useResource(`${client.space}:${name}`, readVersions('stet.type', name));
  return (
    <article className="schema-type">
      <header className="schema-head">
        <a className="schema-back schema-back-always" href={hrefTo(['schema', 'types', name])}>
          <ArrowLeft size={15} aria-hidden /> {name}
        </a>
        <h2>{words.versionsOf(name)}</h2>
      </header>
      {versions.status === 'loading' ? <Skeleton label={words.loading} /> : null}
      {versions.error === null ? null : <ErrorNotice error={versions.error} onRetry={() => void versions.refresh()} />}
      {versions.value?.length === 0 ? <EmptyState icon={History} title={words.noVersions} /> : null}
      <ol role="list" className="schema-versions">
        {versions.value?.map((version, index) => <Version key={version.version} version={version} before={versions.value?.[index + 1] ?? null} />)}
      </ol>
    </article>
  );
}

function Version({ version, before }: { readonly version: DefinitionVersion; readonly before: DefinitionVersion | null }) {
  const words = useMessages(schemaMessages);
  return (
    <li className="card schema-version">
      <div className="schema-version-head">
        <strong>{words.version(version.version)}</strong>
        <Person name={version.by} />
        <span className="soft">
          <RelativeTime time={version.at} />
        </span>
      </div>
      {version.op === 'delete' || version.data === null ? (
        <p className="soft">{words.deletedBy}</p>
      ) : before?.data === null || before === null ? (
        <p className="soft">{words.first}</p>
      ) : (
        <DifferenceList before={definitionOf(before.data)} after={definitionOf(version.data)} />
      )}
    </li>
  );
}
