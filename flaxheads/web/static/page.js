// The page shows the state that the server sends; it keeps none of its own but
// the visitor's token, which a reload finds again.
'use strict';

const PORTRAITS = {ada: 'Ada', ben: 'Ben', cleo: 'Cleo'};
const DRIVERS = {talk: 'Talking', turn: 'Turning'};
const RECORDED = 5000;  // milliseconds
const LIVE_SIDE = 480;  // pixels of an image that the camera sends
const $ = id => document.getElementById(id);
let token = sessionStorage.getItem('flaxheads');
let state = null;

// --- talking to the server

function trouble(text) {
  $('trouble').textContent = text;
  $('trouble').hidden = !text;
}

async function ask(path, body, method = 'POST') {
  let answer;
  try {
    answer = await fetch(path, {
      method, body, headers: {'X-Session': token || ''}, cache: 'no-store',
    });
  } catch {
    throw new Error('The page does not answer. Is flaxheads still running?');
  }
  if (!answer.ok) {
    const said = await answer.json().catch(() => ({}));
    const error = new Error(said.wrong || `error ${answer.status}`);
    error.gone = answer.status === 410;
    throw error;
  }
  return answer;
}

async function tell(path, body) {
  trouble('');
  try {
    return await (await ask(path, body)).json();
  } catch (error) {
    if (!error.gone) trouble(error.message);
    return null;
  }
}

const change = (what, values = {}) =>
  tell('/change', JSON.stringify({do: what, ...values}));

async function join() {
  const left = Boolean(token);
  token = (await (await ask('/join')).json()).token;
  sessionStorage.setItem('flaxheads', token);
  if (left) trouble('Your earlier visit has ended, and its files are deleted.');
}

async function follow() {  // as long as this lasts, the server keeps the visit
  for (;;) {
    try {
      if (!token) await join();
      const answer = await ask('/events', undefined, 'GET');
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let text = '';
      for (;;) {
        const {value, done} = await reader.read();
        if (done) break;
        text += value;
        const lines = text.split('\n');
        text = lines.pop();
        if (lines.length) show(JSON.parse(lines.at(-1)));
      }
    } catch (error) {
      if (error.gone) {
        await join().catch(e => trouble(e.message));
        continue;
      }
      trouble(error.message);
    }
    await new Promise(resolve => setTimeout(resolve, 1000));
  }
}

// --- files of the visitor, fetched with the token and shown as blobs

const blobs = new Map();

async function load(element, path) {
  if (element.dataset.path === path) return;
  element.dataset.path = path;
  if (!blobs.has(path)) {
    blobs.set(path, ask(path, undefined, 'GET').then(a => a.blob()).then(URL.createObjectURL));
  }
  try {
    const url = await blobs.get(path);
    if (element.dataset.path !== path) return;
    element.src = url;
    if (element.autoplayed !== path && element.tagName === 'VIDEO') {
      element.autoplayed = path;
      if (element.id === 'result') replay();
    }
  } catch {
    blobs.delete(path);
    delete element.dataset.path;
  }
}

function unload(element) {
  delete element.dataset.path;
  element.removeAttribute('src');
  if (element.tagName === 'VIDEO') element.load();
}

function dropBlobs() {  // those that no element shows
  const shown = new Set([...document.querySelectorAll('[data-path]')]
    .map(element => element.dataset.path));
  for (const [path, url] of blobs) {
    if (shown.has(path)) continue;
    blobs.delete(path);
    url.then(URL.revokeObjectURL, () => {});
  }
}

async function send(path, files) {
  for (const file of files) {
    await tell(`${path}?name=${encodeURIComponent(file.name)}`, file);
  }
}

// --- showing the state

const make = (tag, values = {}, ...inside) => {
  const element = Object.assign(document.createElement(tag), values);
  element.append(...inside);
  return element;
};

function tile(file) {
  const item = make('li');
  item.dataset.id = file.id;
  if (file.state === 'ready') {
    const image = make('img', {alt: `The face found in ${file.name}`});
    load(image, `/mine/picture?id=${file.id}`);
    item.append(image);
  }
  if (file.state === 'wrong' && file.num_faces) {
    item.append(make('p', {role: 'alert', className: 'wrong'}, file.sentence));
    for (let n = 0; n < file.num_faces; n++) {
      item.append(make('button', {
        type: 'button', textContent: `Face ${n + 1}`,
        onclick: () => change('face', {id: file.id, face: n}),
      }));
    }
  } else if (file.state !== 'ready') {
    const wrong = file.state === 'wrong';
    item.append(make('p', {
      role: wrong ? 'alert' : 'status', className: wrong ? 'wrong' : '',
    }, file.sentence || `${file.name} …`));
  }
  item.append(make('button', {
    type: 'button', className: 'remove', textContent: '×', title: `Remove ${file.name}`,
    ariaLabel: `Remove ${file.name}`, onclick: () => change('remove', {id: file.id}),
  }));
  return item;
}

let tiles = '';
function showPictures(pictures) {
  const now = JSON.stringify(pictures);
  if (now === tiles) return;
  tiles = now;
  $('faces').replaceChildren(...pictures.map(tile));
}

function hint(state) {
  if (state.job || state.result || state.wrong) return '';
  const ready = state.pictures.some(file => file.state === 'ready');
  const missing = [];
  if (!ready) missing.push('a photograph');
  if (state.driver?.state !== 'ready') missing.push('a movement');
  if (ready && state.needs_rights && !state.may) missing.push('a tick that you may');
  if (!missing.length) return '';
  return `It is made as soon as there is ${missing.join(' and ')}.`;
}

function showJob(job) {
  $('working').hidden = !job;
  if (!job) return;
  const waiting = job.ahead ? `Waiting for ${job.ahead} earlier ${job.ahead > 1 ? "jobs" : "job"} …` : '';
  const count = job.total ? ` ${job.done} of ${job.total}` : ' …';
  $('job').textContent = waiting || job.label + count;
  if (job.total && !waiting) {
    $('bar').max = job.total;
    $('bar').value = job.done;
  } else {
    $('bar').removeAttribute('value');
  }
}

function showDriver(driver) {
  const said = {waiting: `${driver?.name} …`, wrong: driver?.sentence,
    ready: `${driver?.name} is ready.`};
  $('driver-said').textContent = driver ? said[driver.state] : '';
  $('driver-said').className = driver?.state === 'wrong' ? 'wrong' : '';
  $('left').hidden = !driver;
  if (driver) load($('driver'), `/mine/driver?id=${driver.id}`);
  else unload($('driver'));
}

function showResult(state) {
  const {result, preview} = state;
  $('right').hidden = !result && !preview;
  $('preview').hidden = !preview || Boolean(result);
  $('result').hidden = !result;
  $('done').hidden = !result;
  $('who').textContent = result ? result.name : 'in the making';
  if (result) {
    load($('result'), `/mine/result?id=${result.id}`).then(() => {
      $('download').href = $('result').src;
    });
    $('download').download = result.name;
  } else if ($('result').dataset.path) {
    unload($('result'));
  }
  if (preview && !result) load($('preview'), `/mine/preview?frame=${preview}`);
  else unload($('preview'));
}

function replay() {
  const videos = [$('driver'), $('result')];
  for (const video of videos) {
    video.currentTime = 0;
    video.play().catch(() => {});  // a browser may want a click first
  }
}

function show(now) {
  state = now;
  showPictures(state.pictures);
  $('warnings').replaceChildren(...state.warnings.map(said => make('li', {}, said)));
  $('rights').hidden = !state.needs_rights;
  $('may').checked = state.may;
  showJob(state.job);
  $('failed').hidden = !state.wrong;
  $('wrong').textContent = state.wrong;
  $('hint').textContent = hint(state);
  showDriver(state.driver);
  showResult(state);
  for (const [name, value] of Object.entries(state.options)) {
    if (typeof value === 'boolean') $(name).checked = value;
    else $(name).value = value;
  }
  dropBlobs();
}

// --- controls

function example(kind, name, title) {
  const shown = kind === 'portraits'
    ? make('img', {src: `/examples/${name}.jpg`, alt: ''})
    : make('video', {src: `/examples/${name}.mp4`, muted: true, loop: true,
      autoplay: true, playsInline: true});
  const file = `${name}.${kind === 'portraits' ? 'jpg' : 'mp4'}`;
  $(kind).append(make('button', {
    type: 'button', className: 'example', onclick: () => change('example', {name: file}),
  }, shown, make('span', {}, title)));
}

function acceptDrops(id, path, most) {
  const area = $(id);
  const over = on => event => {
    event.preventDefault();
    area.classList.toggle('over', on);
  };
  area.addEventListener('dragover', over(true));
  area.addEventListener('dragleave', over(false));
  area.addEventListener('drop', event => {
    over(false)(event);
    send(path, [...event.dataTransfer.files].slice(0, most));
  });
}

function takeFiles(id, path) {
  $(id).addEventListener('change', async event => {
    const files = [...event.target.files];
    event.target.value = '';  // the same file may be chosen again
    await send(path, files);
  });
}

function connect() {
  for (const [name, title] of Object.entries(PORTRAITS)) example('portraits', name, title);
  for (const [name, title] of Object.entries(DRIVERS)) example('drivers', name, title);
  takeFiles('pictures', '/picture');
  takeFiles('driver-file', '/driver');
  acceptDrops('drop-person', '/picture', 32);
  acceptDrops('drop-driver', '/driver', 1);
  for (const action of ['cancel', 'again', 'forget']) $(action).onclick = () => change(action);
  $('replay').onclick = replay;
  $('may').onchange = event => change('may', {may: event.target.checked});
  for (const name of ['motion', 'paste_back', 'sound', 'label']) {
    $(name).onchange = ({target}) => change('options', {
      [name]: target.type === 'checkbox' ? target.checked : target.value,
    });
  }
  const tabs = [...document.querySelectorAll('[role=tab]')];
  for (const tab of tabs) {
    tab.onclick = () => {
      for (const each of tabs) {
        each.setAttribute('aria-selected', each === tab);
        $(each.getAttribute('aria-controls')).hidden = each !== tab;
      }
      if (tab.id !== 'tab-live') stopCamera();
    };
  }
  $('verify-file').onchange = async event => {
    const [file] = event.target.files;
    event.target.value = '';
    $('verify-said').textContent = `Reading ${file.name} …`;
    const answer = await tell(`/verify?name=${encodeURIComponent(file.name)}`, file);
    $('verify-said').textContent = answer ? answer.said : '';
  };
}
