import { ChevronDown } from 'lucide-react';
import { forwardRef, type SelectHTMLAttributes } from 'react';
import { classNames } from './class-names';
import { firstFocus, useElement } from './use-element';

export interface SelectProps extends Omit<SelectHTMLAttributes<HTMLSelectElement>, 'className' | 'style' | 'size'> {
  readonly size?: 'medium' | 'small';
  readonly options: readonly { readonly value: string; readonly label: string; readonly disabled?: boolean }[];
}

/** One of a few: the browser's own list, which every keyboard and screen reader knows. */
export const Select = forwardRef<HTMLSelectElement, SelectProps>(function Select({ size = 'medium', options, autoFocus, ...rest }, ref) {
  const element = useElement(ref, autoFocus);
  return (
    <span className="select">
      <select {...rest} {...firstFocus(autoFocus)} ref={element} className={classNames('input', size === 'small' && 'input-small')}>
        {options.map((option) => (
          <option key={option.value} value={option.value} disabled={option.disabled}>
            {option.label}
          </option>
        ))}
      </select>
      <ChevronDown size={14} aria-hidden />
    </span>
  );
});
