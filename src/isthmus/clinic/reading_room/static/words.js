// What a script says: the words that the page was given (`render(…, script_words=("viewer.",))`), by key.
const said = JSON.parse(document.body.dataset.words);

export function word(key, values = {}) {
  if (!(key in said)) throw new Error(`no word ${key} on this page`);
  return said[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}
