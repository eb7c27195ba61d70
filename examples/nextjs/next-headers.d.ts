/** What this example uses of Next.js, as Next.js 15 declares it. Delete it in an application, where `next` is installed. */
declare module 'next/headers' {
  /** The headers of the request that is answered. */
  export function headers(): Promise<{ get(name: string): string | null }>;
}
