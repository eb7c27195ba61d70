/** Whether a client and a server go together. */

/** The version of this package; a test holds it beside package.json. */
export const CLIENT_VERSION = '0.1.0';

const parse = (version: string): readonly [number, number] | null => {
  const found = /^v?(\d+)\.(\d+)/.exec(version);
  return found === null ? null : [Number(found[1]), Number(found[2])];
};

/** The same major version; before 1.0 the same minor one as well. A version that cannot be read fits nothing. */
export const versionsFit = (client: string, server: string): boolean => {
  const [mine, theirs] = [parse(client), parse(server)];
  if (mine === null || theirs === null) return false;
  return mine[0] === theirs[0] && (mine[0] !== 0 || mine[1] === theirs[1]);
};
