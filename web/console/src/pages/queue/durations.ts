/** Stretches of time in words, by the language. */

/** `12 s`, `3 min`, `1 hr 20 min`: two units at most, whole ones. */
export function durationText(seconds: number, language: string): string {
  const whole = Math.max(0, Math.round(seconds));
  const units = [
    ['day', Math.floor(whole / 86_400)],
    ['hour', Math.floor(whole / 3600) % 24],
    ['minute', Math.floor(whole / 60) % 60],
    ['second', whole % 60],
  ] as const;
  const first = units.findIndex(([, count]) => count > 0);
  if (first < 0) return unitText(0, 'second', language);
  return units
    .slice(first, first + 2)
    .filter(([, count], index) => count > 0 && (index === 0 || whole < 86_400 * 10))
    .map(([unit, count]) => unitText(count, unit, language))
    .join(' ');
}

function unitText(count: number, unit: string, language: string): string {
  return new Intl.NumberFormat(language, { style: 'unit', unit, unitDisplay: 'short' }).format(count);
}

/** `2–7 s`: the range in which most waits end. */
export function rangeText(range: readonly [number, number], language: string): string {
  const [low, high] = range;
  if (Math.round(low) === Math.round(high)) return durationText(high, language);
  return `${durationText(low, language)} – ${durationText(high, language)}`;
}

/** What is left of an estimate that was made `elapsedS` ago. It does not pass zero: it only stops counting. */
export function leftOf(estimateS: number, elapsedS: number): number {
  return Math.max(0, estimateS - elapsedS);
}
