/** The proof-reader's mark: a struck word with dots under it, which say "let it stand". */
export function Logo({ size = 22 }: { readonly size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 24 24" aria-hidden className="logo">
      <rect x="0.5" y="0.5" width="23" height="23" rx="6.5" className="logo-ground" />
      <path d="M5.5 8.75h13" className="logo-word" />
      <circle cx="6.5" cy="15.25" r="1.35" className="logo-dot" />
      <circle cx="12" cy="15.25" r="1.35" className="logo-dot" />
      <circle cx="17.5" cy="15.25" r="1.35" className="logo-dot" />
    </svg>
  );
}

/** The name beside it. */
export function Wordmark() {
  return (
    <span className="wordmark">
      <Logo />
      <span>Stet</span>
    </span>
  );
}
