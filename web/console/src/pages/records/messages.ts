import { defineMessages } from '../../i18n/messages';

export const recordsMessages = defineMessages({
  en: {
    title: 'Records',
    types: 'Types',
    loading: 'Loading records',
    noTypes: 'No records yet',
    noTypesHint: 'A type is there as soon as it has a record, or a definition. Create the first record, import some, or define a type.',
  },
  es: {
    title: 'Registros',
    types: 'Tipos',
    loading: 'Cargando registros',
    noTypes: 'Aún no hay registros',
    noTypesHint: 'Un tipo existe en cuanto tiene un registro o una definición. Crea el primer registro, importa algunos o define un tipo.',
  },
});
