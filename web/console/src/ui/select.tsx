import { ChevronDown } from 'lucide-react';
import type { Ref, SelectHTMLAttributes } from 'react';
import { classNames } from './class-names';

export interface SelectProps extends Omit<SelectHTMLAttributes<HTMLSelectElement>, 'className' | 'style' | 'size'> {
  readonly size?: 'medium' | 'small';
  readonly options: readonly { readonly value: string; readonly label: string; readonly disabled?: boolean }[];
  readonly ref?: Ref<HTMLSelectElement>;
}

/** One of a few: the browser's own list, which every keyboard and screen reader knows. */
export function Select({ size = 'medium', options, ...rest }: SelectProps) {
  return (
    <span className="select">
      <select {...rest} className={classNames('input', size === 'small' && 'input-small')}>
        {options.map((option) => (
          <option key={option.value} value={option.value} disabled={option.disabled}>
            {option.label}
          </option>
        ))}
      </select>
      <ChevronDown size={14} aria-hidden />
    </span>
  );
}
