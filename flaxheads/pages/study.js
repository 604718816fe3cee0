'use strict';
const find = id => document.getElementById(id);
const study = JSON.parse(find('data').textContent);
const triplets = study.rounds.flat();
const byId = new Map(triplets.map(triplet => [triplet.id, triplet]));
const KEY = 'flaxheads-study-' + study.study;

const isAnswer = answer => answer && typeof answer.participant === 'string' &&
  byId.has(answer.triplet) && [0, 1, 2].includes(answer.chosen);

// A browser that keeps nothing still counts until the page is closed.
function load() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY)) || {};
    const answers = (kept.answers || []).filter(isAnswer);
    return {answers, session: kept.session || null};
  } catch {
    return {answers: [], session: null};
  }
}

const kept = load();
function keep() {
  try { localStorage.setItem(KEY, JSON.stringify(kept)); } catch {}
}

function show(name) {
  for (const part of ['start', 'question', 'end']) {
    find(part).hidden = part !== name;
  }
}

// Each round asks once for each person; its order is the participant's own.
function shuffled(round) {
  const order = round.map(triplet => triplet.id);
  for (let i = order.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

function newParticipant() {
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  const hex = [...bytes].map(b => b.toString(16).padStart(2, '0')).join('');
  kept.session = {participant: hex, order: study.rounds.flatMap(shuffled)};
  keep();
}

const own = () => kept.answers.filter(
  answer => kept.session && answer.participant === kept.session.participant);

function current() {
  const done = new Set(own().map(answer => answer.triplet));
  return kept.session.order.find(id => byId.has(id) && !done.has(id));
}

let asked = null;
let since = 0;
function ask() {
  asked = current();
  if (asked === undefined) return finish();
  find('image').src = byId.get(asked).image;
  find('progress').max = triplets.length;
  find('progress').value = own().length;
  since = performance.now();
  show('question');
}

function answer(chosen) {
  if (find('question').hidden) return;
  const milliseconds = Math.round(performance.now() - since);
  kept.answers.push({participant: kept.session.participant, triplet: asked,
    chosen, milliseconds});
  keep();
  ask();
}

const isRight = answer => answer.chosen === byId.get(answer.triplet).place;
const number = (count, noun) => count + ' ' + noun + (count === 1 ? '' : 's');

function finish() {
  const mine = own();
  find('own').textContent = 'You answered ' +
    number(mine.length, 'question') + ', ' + mine.filter(isRight).length +
    ' of them right.';
  const people = new Set(kept.answers.map(answer => answer.participant));
  find('total').textContent = number(people.size, 'participant') + ', ' +
    number(kept.answers.length, 'answer') + '.';
  find('scores').replaceChildren();
  for (const group of [...new Set(triplets.map(t => t.group))]) {
    const given = kept.answers.filter(a => byId.get(a.triplet).group === group);
    const right = given.filter(isRight).length;
    const share = given.length ? (right / given.length).toFixed(2) : '–';
    const line = document.createElement('tr');
    for (const text of [group, given.length, right, share]) {
      line.append(Object.assign(document.createElement('td'),
        {textContent: text}));
    }
    find('scores').append(line);
  }
  kept.session = null;
  keep();
  show('end');
}

function save() {
  const text = JSON.stringify({study: study.study, answers: kept.answers});
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([text], {type: 'application/json'}));
  link.download = 'answers-' + study.study + '.json';
  link.click();
}

function welcome() {
  find('count').textContent = triplets.length;
  const people = new Set(kept.answers.map(answer => answer.participant)).size;
  find('others').textContent = people ?
    'So far ' + number(people, 'participant') + ' took part.' : '';
  show('start');
}

find('begin').onclick = () => { newParticipant(); ask(); };
find('stop').onclick = finish;
find('next').onclick = welcome;
find('save').onclick = save;
find('forget').onclick = () => {
  if (!confirm('Forget the answers of all participants?')) return;
  kept.answers = [];
  keep();
  welcome();
};
for (const button of document.querySelectorAll('#choices button')) {
  button.onclick = () => answer(Number(button.dataset.place));
}
document.addEventListener('keydown', event => {
  if (!event.repeat && '123'.includes(event.key)) answer(event.key - 1);
});
if (kept.session) ask(); else welcome();
