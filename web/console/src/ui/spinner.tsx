import { classNames } from './class-names';

/** Something is at work. Without a label it says nothing to those who listen: then what surrounds it must. */
export function Spinner({ label, size = 'small' }: { readonly label?: string; readonly size?: 'small' | 'large' }) {
  return (
    <span className={classNames('spinner', size === 'large' && 'spinner-large')} role={label === undefined ? undefined : 'status'}>
      {label === undefined ? null : <span className="visually-hidden">{label}</span>}
    </span>
  );
}
