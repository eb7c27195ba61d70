import { codes, StetError, type Code } from '@stet/client';
import type { Language } from '../i18n/language';
import { spanishDetail } from './detail-words';

/** What each code means, for people. English is the server's table; a code without Spanish does not compile. */
const spanish: Readonly<Record<Code, string>> = {
  MISUSE: 'la biblioteca se llamó mal',
  NO_MEMORY: 'al servidor le falta memoria',
  INTERNAL: 'error interno',
  BAD_REQUEST: 'la petición no está bien formada',
  BAD_JSON: 'el documento no es JSON válido',
  TOO_LARGE: 'se superó un límite de tamaño',
  UNAUTHENTICATED: 'hay que iniciar sesión',
  FORBIDDEN: 'no tienes permiso',
  SYSTEM_TYPE: 'el tipo es del sistema',
  NOT_FOUND: 'no se encontró',
  DELETED: 'el registro se borró',
  CONCURRENT_MODIFICATION: 'otra persona cambió el registro',
  ALREADY_EXISTS: 'el registro ya existe',
  ALREADY_RESOLVED: 'el conflicto ya se resolvió',
  PRECONDITION_REQUIRED: 'el cambio debe nombrar la versión de la que parte',
  KEY_REUSED: 'la clave del cambio ya se usó para otra petición',
  PATCH_FAILED: 'el cambio no encaja en el registro',
  PRUNED: 'esa versión ya no se guarda',
  CURSOR_EXPIRED: 'la lista caducó; empieza de nuevo',
  TOKEN_INVALID: 'el código de resolución no vale aquí',
  BUSY: 'hay demasiado en espera',
  COMMIT_UNKNOWN: 'no se sabe si el cambio se guardó',
  UNAVAILABLE: 'el espacio no admite cambios ahora',
  NO_SPACE: 'el disco está lleno',
  IO: 'falló el almacenamiento',
  CORRUPT: 'los datos guardados están dañados',
  FORMAT: 'una versión más nueva escribió los datos',
  SHUTTING_DOWN: 'el servidor se está deteniendo',
  METHOD_NOT_ALLOWED: 'el método no se admite aquí',
  NOT_ACCEPTABLE: 'no hay esa representación',
  REQUEST_TIMEOUT: 'la petición tardó demasiado',
  UNSUPPORTED_MEDIA_TYPE: 'ese tipo de contenido no se admite',
  MISDIRECTED: 'la dirección no es la de este servidor',
  TOO_MANY_REQUESTS: 'demasiadas peticiones',
  CANCELLED: 'se canceló',
  INVALID_DATA: 'los datos no cumplen su tipo',
  INVALID_TYPE: 'la definición del tipo no es válida',
  TYPE_VIOLATED: 'hay registros que no cumplen la definición',
  STRATEGY_NOT_ALLOWED: 'el tipo no admite esa forma de resolver',
  UNIQUE_VIOLATION: 'otro registro ya tiene ese valor',
  INDEX_REQUIRED: 'la lista necesita un índice',
  LOCKED: 'otra persona tiene el bloqueo',
  LOCK_LOST: 'el bloqueo se perdió',
  TREE_CYCLE: 'un registro no puede estar debajo de sí mismo',
  TOO_MANY_CONFLICTS: 'ya esperan demasiados conflictos',
  HAS_CHILDREN: 'el registro tiene otros debajo',
  QUEUE_FULL: 'ya espera demasiado en esta cola',
  OPERATION_DEPTH: 'la operación está demasiado por debajo de las suyas',
  OPERATION_FINISHED: 'la operación ya terminó',
  OPERATION_STATUS: 'la operación está en otro estado',
  LEASE_LOST: 'se perdió el turno de la operación',
  OPERATION_REJECTED: 'otros se adelantaron demasiadas veces',
  INVALID_FUNCTION: 'la función no es válida',
  FUNCTION_FAILED: 'la función falló',
  FUNCTION_LIMIT: 'la función superó un límite',
  INVALID_HANDLER: 'el manejador no es válido',
  INVALID_SETTINGS: 'los ajustes no son válidos',
  SLOT_TAKEN: 'ese horario ya está ocupado',
  QUOTA_EXCEEDED: 'el espacio no tiene más sitio',
  PURGED: 'el registro se eliminó para siempre',
  LOGIN_FAILED: 'el nombre o la contraseña no son correctos',
  SESSION_ENDED: 'la sesión terminó',
  CSRF_REQUIRED: 'falta la prueba de la sesión',
  LINK_INVALID: 'el enlace ya se usó o caducó',
  INVALID_TIME: 'la hora o su regla no es válida',
  UPGRADE_REQUIRED: 'aquí solo hay un WebSocket',
  OPERATION_IN_PROGRESS: 'ya está en marcha aquí o en otra pestaña',
  NETWORK: 'el servidor no responde',
  TIMEOUT: 'la respuesta tardó demasiado',
  ABORTED: 'se dejó a medias',
  NOT_STET: 'quien respondió no es un servidor Stet',
  STORAGE_FAILED: 'los cambios no se pueden guardar en este equipo',
};

const sentence = (words: string): string => (words === '' ? words : `${words.charAt(0).toUpperCase()}${words.slice(1)}`);
const strange: Readonly<Record<Language, string>> = { en: 'Something went wrong', es: 'Algo salió mal' };
const isCode = (code: string): code is Code => Object.hasOwn(spanish, code);

/** A failure as a heading and, where there is more to say, a sentence. The server's own are English: those that have no Spanish words stay so. */
export function errorWords(error: unknown, language: Language): { readonly title: string; readonly detail: string | null } {
  if (!(error instanceof StetError)) return { title: strange[language], detail: error instanceof Error && error.message !== '' ? sentence(error.message) : null };
  const english = codes[error.code].words;
  const title = sentence(language === 'es' && isCode(error.code) ? spanish[error.code] : english);
  const detail = error.message === '' || error.message === english ? null : sentence((language === 'es' ? spanishDetail(error.message) : null) ?? error.message);
  return { title, detail: detail !== null && detail.toLowerCase() === title.toLowerCase() ? null : detail };
}

/** A failure in one sentence, where there is room for no more: below a field, in a line. */
export function errorSentence(error: unknown, language: Language): string {
  const { title, detail } = errorWords(error, language);
  return detail ?? title;
}
