import { classNames } from './class-names';

/** The same name always has the same colour. */
export function hueOf(name: string): number {
  let hash = 0;
  for (const sign of name) hash = (hash * 31 + (sign.codePointAt(0) ?? 0)) >>> 0;
  return hash % 6;
}

/** Who, as a letter. What kind of actor it is stands in front of the name: `user:ann` is ann. */
export function Avatar({ name, size = 'medium', quiet = false }: { readonly name: string; readonly size?: 'small' | 'medium'; /** The name stands beside it. */ readonly quiet?: boolean }) {
  const plain = plainName(name);
  const letters = plain.split(/[\s._-]+/).filter(Boolean).slice(0, 2).map((word) => [...word][0] ?? '').join('').toUpperCase();
  return (
    <span className={classNames('avatar', `avatar-${hueOf(plain)}`, size === 'small' && 'avatar-small')} role={quiet ? undefined : 'img'} aria-label={quiet ? undefined : plain} aria-hidden={quiet || undefined} title={plain}>
      {letters === '' ? '?' : letters}
    </span>
  );
}

/** A name without the kind of actor before it. */
export const plainName = (actor: string): string => actor.replace(/^(user|token|agent|function|system):/, '');

/** An avatar with its name. */
export function Person({ name }: { readonly name: string }) {
  return (
    <span className="person">
      <Avatar name={name} size="small" quiet />
      <span className="truncate">{plainName(name)}</span>
    </span>
  );
}
