/** The server's sentences are English: those that people meet, in Spanish. Each is a pattern with the values in it. */

const kinds: readonly (readonly [string, string])[] = [
  ['a string', 'un texto'], ['a number', 'un número'], ['an integer', 'un número entero'], ['true or false', 'sí o no'], ['an object', 'un objeto'], ['an array', 'una lista'], ['null', 'nada'], [' or ', ' o '],
];
const verbs: Readonly<Record<string, string>> = { read: 'leer', create: 'crear', change: 'cambiar', delete: 'borrar', write: 'guardar' };
const things: Readonly<Record<string, string>> = { records: 'registros', bytes: 'bytes' };

const kindWords = (names: string): string => kinds.reduce((text, [english, spanish]) => text.replace(english, spanish), names);

type Sentence = readonly [pattern: RegExp, say: (one: string, two: string) => string];

const sentences: readonly Sentence[] = [
  // A field that does not hold its type.
  [/^is required$/, () => 'hace falta'],
  [/^must be at least (.+)$/, (bound) => `debe ser ${bound} o más`],
  [/^must be at most (.+)$/, (bound) => `debe ser ${bound} o menos`],
  [/^must be one of (.+)$/, (choices) => `debe ser uno de ${choices}`],
  [/^must have at least (\d+) bytes?$/, (bytes) => `debe tener al menos ${bytes} bytes`],
  [/^must have at most (\d+) bytes? and has (\d+)$/, (most, bytes) => `debe tener como mucho ${most} bytes y tiene ${bytes}`],
  [/^must be (.+)$/, (names) => `debe ser ${kindWords(names)}`],
  [/^was set when the record was made and cannot be changed$/, () => 'se fijó al crear el registro y no se puede cambiar'],
  [/^cannot be changed any more$/, () => 'ya no se puede cambiar'],
  [/^is not known here/, () => 'no se conoce aquí'],
  [/^the data is too large to be checked against the fields of its type$/, () => 'los datos son demasiado grandes para comprobarlos'],
  // Rights.
  [/^you may not (\w+) records of this type$/, (verb) => `no puedes ${verbs[verb] ?? verb} registros de este tipo`],
  [/^you may not (\w+) records of type "(.*)"$/, (verb, type) => `no puedes ${verbs[verb] ?? verb} registros del tipo «${type}»`],
  [/^you may not (\w+) this record of type "(.*)"$/, (verb, type) => `no puedes ${verbs[verb] ?? verb} este registro del tipo «${type}»`],
  [/^you may not (\w+) this record$/, (verb) => `no puedes ${verbs[verb] ?? verb} este registro`],
  [/^you may not write "(.*)"$/, (address) => `no puedes guardar «${address}»`],
  [/^this field is not yours to change$/, () => 'no puedes cambiar este campo'],
  [/^this field is not yours to (?:see or to )?give a value$/, () => 'no puedes dar un valor a este campo'],
  [/^only an administrator may do this$/, () => 'solo quien administra el espacio puede hacerlo'],
  [/^only an administrator of the server may do this$/, () => 'solo quien administra el servidor puede hacerlo'],
  // Who comes in.
  [/^the name or the password is not right$/, () => 'el nombre o la contraseña no son correctos'],
  [/^the old password is not right$/, () => 'la contraseña actual no es correcta'],
  [/^a password has at least (\d+) bytes$/, (bytes) => `una contraseña tiene al menos ${bytes} caracteres`],
  [/^a password has at most (\d+) bytes$/, (bytes) => `una contraseña tiene como mucho ${bytes} bytes`],
  [/^there were too many attempts; the next one is possible in (\d+) seconds$/, (seconds) => `hubo demasiados intentos; el próximo será posible dentro de ${seconds} segundos`],
  [/^the link was used, was taken back, or is too old$/, () => 'el enlace ya se usó, se retiró o caducó'],
  [/^the session is over$/, () => 'la sesión terminó'],
  [/^send a token \(Authorization: Bearer TOKEN\), or log in$/, () => 'inicia sesión para continuar'],
  [/^there is a user "(.*)".*$/, (user) => `ya hay una persona «${user}»`],
  [/^there is no user "(.*)".*$/, (user) => `no hay ninguna persona «${user}»`],
  [/^somebody else changed the user; they are at version (\d+) now$/, (version) => `otra persona cambió la cuenta; ahora está en la versión ${version}`],
  [/^an administrator's own rights are taken by another administrator$/, () => 'los permisos de quien administra solo se los quita otra persona que administre'],
  // What is there already, what is gone, and what has no room.
  [/^"(.*)" has this value already/, (address) => `«${address}» ya tiene este valor`],
  [/^another record has this value already$/, () => 'otro registro ya tiene este valor'],
  [/^the record does not exist$/, () => 'el registro no existe'],
  [/^the record was deleted by (.+) at version (\d+)$/, (who, version) => `${who} borró el registro en la versión ${version}`],
  [/^the record was deleted/, () => 'el registro se borró'],
  [/^the time is taken already/, () => 'ese horario ya está ocupado'],
  [/^the space has no room left: it may hold (\d+) (\w+)$/, (most, what) => `el espacio no tiene más sitio: caben ${most} ${things[what] ?? what}`],
  [/^others wait for the lock/, () => 'otros esperan el bloqueo'],
  [/^lies before the start, or on it$/, () => 'debe ser después del comienzo'],
  [/^has neither an offset .* nor a zone$/, () => 'no dice en qué zona horaria está'],
  // Conflicts.
  [/^the conflict's deadline has passed/, () => 'el plazo del conflicto terminó y se resolvió solo'],
  [/^this resolution token was used already$/, () => 'el conflicto ya se resolvió así'],
];

/** A sentence of the server in Spanish; null when there are no words for it. */
export function spanishDetail(detail: string): string | null {
  for (const [pattern, say] of sentences) {
    const found = pattern.exec(detail);
    if (found) return say(found[1] ?? '', found[2] ?? '');
  }
  return null;
}
