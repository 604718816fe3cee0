// The camera: records a movement, and moves the person live.
'use strict';

let film = null;  // the stream of the live view

async function openCamera(sound) {
  if (!navigator.mediaDevices) {
    throw new Error('Browsers allow the camera only on 127.0.0.1 and over https.');
  }
  const video = {width: {ideal: 640}, height: {ideal: 480}};
  try {
    return await navigator.mediaDevices.getUserMedia({video, audio: sound});
  } catch (error) {
    if (sound && error.name !== 'NotAllowedError') return openCamera(false);
    throw new Error(`The camera cannot be used: ${error.message}.`);
  }
}

const close = stream => stream?.getTracks().forEach(track => track.stop());

async function record() {
  $('record').disabled = true;
  let stream;
  try {
    stream = await openCamera(true);
    const recorder = new MediaRecorder(stream);
    const pieces = [];
    recorder.ondataavailable = event => pieces.push(event.data);
    const stopped = new Promise(resolve => recorder.onstop = resolve);
    recorder.start();
    for (let left = RECORDED / 1000; left; left--) {
      $('record').textContent = `Recording: ${left} s`;
      await new Promise(resolve => setTimeout(resolve, 1000));
    }
    recorder.stop();
    await stopped;
    const kind = recorder.mimeType.includes('mp4') ? 'mp4' : 'webm';
    await send('/driver', [new File(pieces, `recording.${kind}`)]);
  } catch (error) {
    trouble(error.message);
  } finally {
    close(stream);
    $('record').disabled = false;
    $('record').textContent = 'Record 5 seconds';
  }
}

function stopCamera() {
  close(film);
  film = null;
  $('film').srcObject = null;
  $('camera').textContent = 'Start the camera';
}

function grab(canvas) {
  const video = $('film');
  const scale = LIVE_SIDE / Math.max(video.videoWidth, video.videoHeight);
  canvas.width = Math.round(video.videoWidth * scale);
  canvas.height = Math.round(video.videoHeight * scale);
  canvas.getContext('2d').drawImage(video, 0, 0, canvas.width, canvas.height);
  return new Promise(resolve => canvas.toBlob(resolve, 'image/jpeg', 0.9));
}

async function startCamera() {
  if (film) return stopCamera();
  const said = text => $('live-said').textContent = text;
  said('Waiting for the camera; allow it in the browser …');
  try {
    film = await openCamera(false);
    $('film').srcObject = film;
    await $('film').play();
    $('camera').textContent = 'Stop the camera';
    said('Preparing the person …');
    const canvas = document.createElement('canvas');
    while (film) {
      const answer = await ask('/live', await grab(canvas)).then(a => a.json());
      if (answer.picture) {
        $('mirror').src = `data:image/jpeg;base64,${answer.picture}`;
        $('mirror').hidden = false;
      }
      said(answer.said);
    }
    said('Stopped.');
  } catch (error) {
    stopCamera();
    said(error.message);
  }
}

$('record').onclick = record;
$('camera').onclick = startCamera;
connect();
follow();
