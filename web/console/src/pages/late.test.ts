import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createElement, Suspense } from 'react';
import { renderToString } from 'react-dom/server';
import { late } from './late';

const shown = (component: () => ReturnType<typeof createElement>): string =>
  renderToString(createElement(Suspense, { fallback: 'it loads' }, createElement(component))).replace(/<!--.*?-->|<template[^>]*><\/template>/g, '');

const page = () => {
  let fetched = 0;
  const Page = () => createElement('p', null, 'the page');
  const made = late(async () => {
    fetched += 1;
    return Page;
  });
  return { ...made, Shown: () => createElement(made.component), fetched: () => fetched };
};

test('a page that was fetched before is drawn at once', async () => {
  const { load, Shown } = page();
  await load();
  assert.equal(shown(Shown), '<p>the page</p>');
});

test('a page that is not here yet says so', () => {
  assert.equal(shown(page().Shown), 'it loads');
});

test('a page that is here is not fetched again', async () => {
  const { load, fetched } = page();
  await load();
  await load();
  assert.equal(fetched(), 1);
});

test('a page that could not be had is tried again', async () => {
  let fails = true;
  const { load } = late(async () => {
    if (fails) throw new Error('away');
    return () => null;
  });
  await assert.rejects(load());
  fails = false;
  await load();
});
