import { defineMessages } from '../i18n/messages';

/** Words of the primitives themselves. */
export const uiMessages = defineMessages({
  en: {
    close: 'Close',
    cancel: 'Cancel',
    tryAgain: 'Try again',
    notifications: 'Messages',
    dismiss: 'Dismiss',
    more: 'More actions',
    resize: 'Width of the panel',
    copy: 'Copy',
    copied: 'Copied',
    requestId: (id: string) => `Request ${id}`,
    sortBy: (column: string) => `Sort by ${column}`,
    now: 'now',
  },
  es: {
    close: 'Cerrar',
    cancel: 'Cancelar',
    tryAgain: 'Reintentar',
    notifications: 'Avisos',
    dismiss: 'Descartar',
    more: 'Más acciones',
    resize: 'Ancho del panel',
    copy: 'Copiar',
    copied: 'Copiado',
    requestId: (id: string) => `Petición ${id}`,
    sortBy: (column: string) => `Ordenar por ${column}`,
    now: 'ahora',
  },
});
