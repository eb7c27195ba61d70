/** What stories are written with. */
export { axe } from './axe';
export { eventually, isObject, passwords, Stet, type Answer, type Example } from './stet';
export { logIn, screenshot, story, type PersonOptions, type Stage, type StoryOptions } from './story';
