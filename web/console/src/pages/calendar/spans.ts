/** `90 min` in words of a language: for buffers and lengths on the calendar. */
export function durationText(seconds: number, language: string): string {
  const minutes = Math.round(seconds / 60);
  const unit = (count: number, name: 'hour' | 'minute'): string => new Intl.NumberFormat(language, { style: 'unit', unit: name, unitDisplay: 'short' }).format(count);
  const parts = [Math.floor(minutes / 60) > 0 ? unit(Math.floor(minutes / 60), 'hour') : null, minutes % 60 > 0 || minutes === 0 ? unit(minutes % 60, 'minute') : null];
  return parts.filter((part) => part !== null).join(' ');
}
